package httpd

import (
	"net"
	"regexp"
	"strings"
	"time"

	"clowder/parse/diag"
)

// valueChecks judges the values of directives that the model does not hold, or
// holds as they are written. Each is what the directive's function in httpd
// refuses; the number of arguments is right when they run.
var valueChecks = map[string]func(l *lowerer, n *Node){
	"acceptpathinfo":           words("on", "off", "default"),
	"alias":                    checkAlias,
	"aliasmatch":               checkAlias,
	"allowconnect":             checkConnectPorts,
	"authname":                 checkStringValue,
	"authtype":                 checkStringValue,
	"authmerging":              words("Off", "And", "Or"),
	"allowencodedslashes":      words("on", "off", "nodecode"),
	"allowoverride":            checkAllowOverride,
	"balancergrowth":           numberIn(0, 1000),
	"browsermatch":             checkSetEnvIf,
	"browsermatchnocase":       checkSetEnvIf,
	"cgivar":                   checkCGIVar,
	"directoryindexredirect":   checkIndexRedirect,
	"enablemmap":               words("on", "off"),
	"enablesendfile":           words("on", "off"),
	"limitinternalrecursion":   checkRecursion,
	"limitrequestbody":         checkSize,
	"protocolshonororder":      words("on", "off"),
	"readbuffersize":           checkSize,
	"flushmaxpipelined":        checkWhole,
	"flushmaxthreshold":        checkSize,
	"directoryslash":           words("on", "off"),
	"errorlogformat":           checkErrorLogFormat,
	"fileetag":                 checkFileETag,
	"hostnamelookups":          words("on", "off", "double"),
	"httpprotocoloptions":      wordsOf("Unsafe Strict RegisteredMethods LenientMethods Require1.0 Allow0.9"),
	"keepalivetimeout":         checkTimeFormat,
	"limitrequestfields":       numberFrom(0),
	"limitrequestline":         numberFrom(0),
	"listenbacklog":            numberFrom(1),
	"loglevel":                 checkLogLevel,
	"maxrangeoverlaps":         checkRanges,
	"maxrangereversals":        checkRanges,
	"maxranges":                checkRanges,
	"multiviewsmatch":          wordsOf("Any NegotiatedOnly Filters Handlers"),
	"options":                  checkOptions,
	"proxydomain":              checkProxyDomain,
	"proxyhctpsize":            numberFrom(0),
	"proxyremote":              checkProxyRemote,
	"proxyremotematch":         checkProxyRemote,
	"proxysourceaddress":       checkSourceAddress,
	"redirect":                 checkRedirect,
	"redirectmatch":            checkRedirect,
	"redirectpermanent":        checkRedirect,
	"redirecttemp":             checkRedirect,
	"regexdefaultoptions":      checkRegexOptions,
	"rewriteoptions":           checkRewriteOptions,
	"scriptalias":              checkAlias,
	"scriptaliasmatch":         checkAlias,
	"servername":               checkServerName,
	"serversignature":          words("on", "off", "email"),
	"servertokens":             words("OS", "Min", "Minimal", "Major", "Minor", "Prod", "ProductOnly", "Full"),
	"setenvif":                 checkSetEnvIf,
	"setenvifexpr":             checkSetEnvIfExpr,
	"setenvifnocase":           checkSetEnvIf,
	"usecanonicalphysicalport": words("on", "off"),
	"sethandler":               checkStringValue,
	"asyncrequestworkerfactor": checkFactor,
	"usecanonicalname":         words("on", "off", "dns"),
	"watchdoginterval":         checkTimeFormat,
}

// check judges the values of one directive.
func (l *lowerer) check(n *Node, s *scope) {
	name := n.key()
	if f := valueChecks[name]; f != nil {
		f(l, n)
	}
	switch {
	case strings.HasPrefix(name, "ssl"):
		l.ssl(n)
	case name == "serveralias" && s.srv == l.f.Main && s.sec == nil:
		l.report("H004", "directive-not-allowed-here", n.Span, "`ServerAlias` is not allowed outside of `<VirtualHost>`")
	}
}

// words accepts one word of a list.
func words(list ...string) func(*lowerer, *Node) {
	return func(l *lowerer, n *Node) {
		for _, w := range list {
			if strings.EqualFold(w, n.Arg(0)) {
				return
			}
		}
		l.bad(n.Span, "`%s %s`: it must be one of %s", n.Name, n.Arg(0), strings.Join(list, ", "))
	}
}

// wordsOf accepts any number of words of a list.
func wordsOf(list string) func(*lowerer, *Node) {
	known := names(list)
	return func(l *lowerer, n *Node) {
		for _, a := range n.Args {
			if !known[strings.ToLower(a.Text)] {
				l.bad(a.Span, "`%s %s`: it must be of %s", n.Name, a.Text, strings.Join(strings.Fields(list), ", "))
				return
			}
		}
	}
}

// checkTimeFormat accepts what ap_timeout_parameter_parse in server/util.c does.
func checkTimeFormat(l *lowerer, n *Node) {
	if _, ok := parseTime(n.Arg(0), time.Second); !ok {
		l.bad(n.Span, "`%s %s`: that is no time", n.Name, n.Arg(0))
	}
}

func checkRanges(l *lowerer, n *Node) {
	switch v := strings.ToLower(n.Arg(0)); {
	case v == "none" || v == "default" || v == "unlimited":
	case atoi(v) < 1:
		l.bad(n.Span, "`%s %s`: it must be none, default, unlimited or a number from 1", n.Name, n.Arg(0))
	}
}

// checkRegexOptions follows set_regex_default_options in server/core.c.
func checkRegexOptions(l *lowerer, n *Node) {
	for _, a := range n.Args {
		w := strings.ToUpper(strings.TrimLeft(a.Text, "+-"))
		if w != "DEFAULT" && w != "NONE" && w != "ICASE" && w != "EXTENDED" && w != "DOTALL" && w != "NOTEMPTY" && w != "DOLLAR_ENDONLY" && w != "ANCHORED" && w != "NOTEMPTY_ATSTART" && w != "DUPNAMES" && w != "NO_DEFAULT" {
			l.bad(a.Span, "`RegexDefaultOptions %s`: there is no such option", a.Text)
			return
		}
	}
}

func checkSetEnvIfExpr(l *lowerer, n *Node) {
	switch {
	case n.Arg(0) == "":
		l.bad(n.Span, "`SetEnvIfExpr` needs an expression")
	default:
		l.expr(n, n.Args[0].Span, n.Arg(0))
		if len(n.Args) < 2 || n.Arg(1) == "" {
			l.bad(n.Span, "`SetEnvIfExpr` needs a variable to set")
		}
	}
}

// checkSize accepts what apr_strtoff reads as a whole.
func checkSize(l *lowerer, n *Node) {
	if v := strings.TrimPrefix(n.Arg(0), "+"); strings.Trim(v, "0123456789") != "" || v == "" {
		l.bad(n.Span, "`%s %s`: it must be a number of bytes", n.Name, n.Arg(0))
	}
}

func checkWhole(l *lowerer, n *Node) {
	if v := strings.TrimLeft(n.Arg(0), "+-"); strings.Trim(v, "0123456789") != "" || v == "" || atol(n.Arg(0)) < -1 {
		l.bad(n.Span, "`%s %s`: it must be a whole number from -1", n.Name, n.Arg(0))
	}
}

func checkRecursion(l *lowerer, n *Node) {
	for _, a := range n.Args {
		if atoi(a.Text) < 1 {
			l.bad(a.Span, "`LimitInternalRecursion %s`: it must be 1 or more", a.Text)
			return
		}
	}
}

// checkStringValue reads values that may hold variables.
func checkStringValue(l *lowerer, n *Node) {
	if problem := checkStringExpr(n.Arg(0), l.others()); problem != "" {
		l.bad(n.Args[0].Span, "`%s`: `%s` cannot be read: %s", n.Name, n.Arg(0), problem)
	}
}

func checkCGIVar(l *lowerer, n *Node) {
	if !strings.EqualFold(n.Arg(0), "REQUEST_URI") {
		l.bad(n.Args[0].Span, "`CGIVar %s`: only REQUEST_URI can be set", n.Arg(0))
	} else if !strings.EqualFold(n.Arg(1), "current-uri") && !strings.EqualFold(n.Arg(1), "original-uri") {
		l.bad(n.Args[1].Span, "`CGIVar REQUEST_URI %s`: it must be current-uri or original-uri", n.Arg(1))
	}
}

func checkIndexRedirect(l *lowerer, n *Node) {
	switch v := strings.ToLower(n.Arg(0)); {
	case v == "on" || v == "off" || redirectWords[v]:
	case atoi(v) < 300 || atoi(v) > 399:
		l.bad(n.Span, "`DirectoryIndexRedirect %s`: it must be on, off, permanent, temp, seeother or a status from 300 to 399", n.Arg(0))
	}
}

func numberIn(least, most int) func(*lowerer, *Node) {
	return func(l *lowerer, n *Node) {
		if x := atoi(n.Arg(0)); x < least || x > most {
			l.bad(n.Span, "`%s %s`: it must be from %d to %d", n.Name, n.Arg(0), least, most)
		}
	}
}

func numberFrom(least int) func(*lowerer, *Node) {
	return func(l *lowerer, n *Node) {
		if atoi(n.Arg(0)) < least {
			l.bad(n.Span, "`%s %s`: it must be %d or more", n.Name, n.Arg(0), least)
		}
	}
}

// regex reports a word that is no regular expression.
func (l *lowerer) regex(n *Node, at diag.Span, re string) {
	if !l.compiles(re) {
		l.bad(at, "`%s`: `%s` is no regular expression", n.Name, re)
	}
}

// maxRemembered bounds how many regular expressions are remembered.
const maxRemembered = 1000

// compiles is the function of that name, which is asked once for each of the
// expressions that virtual hosts repeat.
func (l *lowerer) compiles(re string) bool {
	ok, known := l.regexes[re]
	if !known {
		ok = compiles(re)
		if l.regexes == nil {
			l.regexes = map[string]bool{}
		}
		if len(l.regexes) < maxRemembered && len(re) < maxRemembered {
			l.regexes[re] = ok
		}
	}
	return ok
}

// expr reports a text that is no expression.
func (l *lowerer) expr(n *Node, at diag.Span, text string) {
	if _, problem := checkExpr(text, l.others()); problem != "" {
		l.bad(at, "`%s`: the expression `%s` cannot be read: %s", n.Name, text, problem)
	}
}

// others reports whether names may come from where this reading cannot see.
func (l *lowerer) others() bool {
	return !l.c.moduleList || l.foreign || l.c.HasIncludesUnresolved
}

// checkAlias follows add_alias and add_alias_internal in mod_alias.c: with one
// word it takes its path from a Location.
func checkAlias(l *lowerer, n *Node) {
	match := strings.HasSuffix(n.key(), "match")
	switch {
	case len(n.Args) == 1 && !l.inSection(n):
		l.bad(n.Span, "`%s` needs two words outside of `<Location>`: the path and the file", n.Name)
	case len(n.Args) == 1:
		if p := l.around.path; p != nil {
			l.report("H004", "directive-not-allowed-here", n.Span, "`%s` is not allowed inside `<%s>`", n.Name, p.Name)
		} else if problem := checkStringExpr(n.Arg(0), l.others()); problem != "" {
			l.bad(n.Args[0].Span, "`%s`: `%s` cannot be read: %s", n.Name, n.Arg(0), problem)
		}
	case l.inSection(n):
		l.report("H004", "directive-not-allowed-here", n.Span, "`%s` with a path is not allowed inside `<%s>`", n.Name, n.Parent.Name)
	case match:
		l.regex(n, n.Args[0].Span, n.Arg(0))
	}
}

func checkConnectPorts(l *lowerer, n *Node) {
	for _, a := range n.Args {
		if t := strings.TrimLeft(a.Text, " "); t == "" || t[0] < '0' || t[0] > '9' || strings.Trim(a.Text, "0123456789-") != "" {
			l.bad(a.Span, "`AllowCONNECT %s`: ports must be numbers", a.Text)
			return
		}
	}
}

var overrideWords = names("Limit Options FileInfo AuthConfig Indexes None All")

func checkAllowOverride(l *lowerer, n *Node) {
	for _, a := range n.Args {
		word, v, has := strings.Cut(a.Text, "=")
		switch {
		case strings.EqualFold(word, "nonfatal"):
			if !has {
				l.bad(a.Span, "`AllowOverride %s`: write Nonfatal=Override, Nonfatal=Unknown or Nonfatal=All", a.Text)
			}
		case strings.EqualFold(word, "options") && has:
			for _, o := range strings.Split(v, ",") {
				if !optionWords[strings.ToLower(o)] {
					l.bad(a.Span, "`AllowOverride %s`: there is no option `%s`", a.Text, o)
					return
				}
			}
		case !overrideWords[strings.ToLower(word)] || has:
			l.bad(a.Span, "`AllowOverride %s`: it must be of None, All, AuthConfig, FileInfo, Indexes, Limit, Options, Nonfatal", a.Text)
			return
		}
	}
}

var optionWords = names("Indexes Includes IncludesNOEXEC FollowSymLinks SymLinksIfOwnerMatch ExecCGI MultiViews RunScripts None All")

// checkOptions follows set_options in server/core.c.
func checkOptions(l *lowerer, n *Node) {
	merge, allNone := false, false
	for i, a := range n.Args {
		w := a.Text
		signed := strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-")
		low := strings.ToLower(strings.TrimLeft(w, "+-"))
		if signed {
			low = strings.ToLower(w[1:])
		}
		whole := low == "none" || low == "all"
		switch {
		case signed && !merge && i > 0 && !allNone, !signed && merge:
			l.bad(a.Span, "`Options`: either all words begin with + or -, or none does")
			return
		case !optionWords[low]:
			l.bad(a.Span, "`Options %s`: there is no such option", w)
			return
		case whole && (i > 0 || signed):
			l.bad(a.Span, "`Options %s`: None and All stand first and without a sign", w)
			return
		}
		merge, allNone = merge || signed, allNone || whole
	}
}

var logLevels = names(`emerg alert crit error warn notice info debug trace1 trace2 trace3 trace4 trace5 trace6 trace7 trace8`)

// checkLogLevel follows set_loglevel in server/core.c. Whether the module that
// a word names is loaded is a matter of [CheckModules].
func checkLogLevel(l *lowerer, n *Node) {
	for _, a := range n.Args {
		level := a.Text[strings.LastIndexByte(a.Text, ':')+1:]
		if !logLevels[strings.ToLower(level)] {
			l.bad(a.Span, "`LogLevel %s`: the level must be emerg, alert, crit, error, warn, notice, info, debug or trace1 to trace8", a.Text)
			return
		}
	}
}

var messageFormat = regexp.MustCompile(`%[-+0-9]*M`)

func checkFactor(l *lowerer, n *Node) {
	if atof(n.Arg(0)) <= 0 {
		l.bad(n.Span, "`%s %s`: it must be a number above 0", n.Name, n.Arg(0))
	}
}

func checkErrorLogFormat(l *lowerer, n *Node) {
	if len(n.Args) == 1 && !messageFormat.MatchString(n.Arg(0)) {
		l.bad(n.Args[0].Span, "`ErrorLogFormat`: the format lacks the message, `%%M`")
	}
	if len(n.Args) == 2 && !strings.EqualFold(n.Arg(0), "request") && !strings.EqualFold(n.Arg(0), "connection") {
		l.bad(n.Args[0].Span, "`ErrorLogFormat %s`: before the format may stand request or connection", n.Arg(0))
	}
}

var etagWords = names("None All MTime Size INode Digest")

func checkFileETag(l *lowerer, n *Node) {
	for _, a := range n.Args {
		w := strings.ToLower(a.Text)
		if signed := strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-"); signed {
			w = w[1:]
		}
		if !etagWords[w] {
			l.bad(a.Span, "`FileETag %s`: it must be of None, All, MTime, Size, INode, Digest", a.Text)
			return
		}
	}
}

func checkProxyDomain(l *lowerer, n *Node) {
	if !strings.HasPrefix(n.Arg(0), ".") {
		l.bad(n.Span, "`ProxyDomain %s`: the name must begin with a dot", n.Arg(0))
	}
}

// checkProxyRemote follows add_proxy in mod_proxy.c.
func checkProxyRemote(l *lowerer, n *Node) {
	_, rest, ok := strings.Cut(n.Arg(1), ":")
	if !ok || !strings.HasPrefix(rest, "//") || len(rest) < 3 {
		l.bad(n.Args[1].Span, "`%s`: `%s` is no address of a proxy; its form is http://host:port", n.Name, n.Arg(1))
		return
	}
	if _, port, ok := strings.Cut(rest[2:], ":"); ok {
		if digits := strings.TrimLeft(port, " +-"); digits == "" || digits[0] < '0' || digits[0] > '9' || atoi(port) > 65535 {
			l.bad(n.Args[1].Span, "`%s`: `%s` has no valid port", n.Name, n.Arg(1))
			return
		}
	}
	if n.Is("ProxyRemoteMatch") {
		l.regex(n, n.Args[0].Span, n.Arg(0))
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// checkSourceAddress reports what can be no address or host name; whether a
// name resolves is a matter of the server's machine.
func checkSourceAddress(l *lowerer, n *Node) {
	if net.ParseIP(n.Arg(0)) == nil && !hostName.MatchString(n.Arg(0)) {
		l.bad(n.Span, "`ProxySourceAddress %s`: that is no address", n.Arg(0))
	}
}

// checkServerName follows server_hostname_port in server/core.c.
func checkServerName(l *lowerer, n *Node) {
	name := n.Arg(0)
	if strings.ContainsAny(name, "*?[") {
		l.bad(n.Args[0].Span, "`ServerName %s`: a name with a pattern belongs into ServerAlias", name)
		return
	}
	if _, rest, ok := strings.Cut(name, "://"); ok {
		name = rest
	}
	if _, port, ok := strings.Cut(name, ":"); ok && (atoi(port) < 1 || atoi(port) > 65535) {
		l.bad(n.Args[0].Span, "`ServerName %s`: the port must be from 1 to 65535", n.Arg(0))
	}
}

// checkRedirect follows add_redirect_internal in mod_alias.c.
func checkRedirect(l *lowerer, n *Node) {
	first, understood, status := strings.ToLower(n.Arg(0)), 1, 302
	switch {
	case first == "permanent" || first == "temp" || first == "seeother":
	case first == "gone":
		understood, status = -1, 410
	case first != "" && first[0] >= '0' && first[0] <= '9':
		if status = atoi(first); status < 300 || status > 399 {
			understood = -1
		}
	default:
		understood = 0
	}
	args := n.Args
	if len(args) == 3 && understood == 0 {
		l.bad(args[0].Span, "`%s`: of three words the first must be a status", n.Name)
		return
	}
	if l.inSection(n) {
		switch {
		case understood > 0 && len(args) == 2, understood == 0 && len(args) == 1:
			last := args[len(args)-1]
			if problem := checkStringExpr(last.Text, l.others()); problem != "" {
				l.bad(last.Span, "`%s`: `%s` cannot be read: %s", n.Name, last.Text, problem)
			}
			return
		case understood < 0 && len(args) == 1:
			return
		}
	}
	if understood != 0 {
		args = args[1:]
	}
	l.redirectTo(n, args, status)
}

// redirectTo checks the path and the target of a redirection.
func (l *lowerer) redirectTo(n *Node, args []Arg, status int) {
	if n.Is("RedirectMatch") && len(args) > 0 {
		l.regex(n, args[0].Span, args[0].Text)
	}
	switch redirects := status >= 300 && status <= 399; {
	case redirects && len(args) < 2:
		l.bad(n.Span, "`%s` lacks the URL to redirect to", n.Name)
	case redirects && !n.Is("RedirectMatch") && !isURL(args[1].Text) && !strings.HasPrefix(args[1].Text, "/"):
		l.bad(args[1].Span, "`%s`: `%s` is neither a URL nor a path", n.Name, args[1].Text)
	case !redirects && len(args) > 1:
		l.bad(args[1].Span, "`%s`: with status %d there is no URL", n.Name, status)
	}
}

// inSection reports whether the directive stands inside of anything but a
// virtual host, so that httpd gives it a path.
func (l *lowerer) inSection(n *Node) bool {
	return n.Parent != nil && !n.Parent.Is("VirtualHost")
}

// isURL follows ap_is_url in server/util.c: a scheme, a colon, two slashes.
func isURL(s string) bool {
	k := strings.Index(s, ":")
	return k > 0 && strings.HasPrefix(s[k:], "://") && strings.Trim(strings.ToLower(s[:k]), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// checkSetEnvIf follows add_setenvif_core in mod_setenvif.c.
func checkSetEnvIf(l *lowerer, n *Node) {
	args := n.Args
	if strings.HasPrefix(n.key(), "setenvif") {
		if len(args) == 0 || args[0].Text == "" {
			l.bad(n.Span, "`%s` needs the name of a header or attribute", n.Name)
			return
		}
		if name := args[0].Text; strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			l.regex(n, args[0].Span, name)
		}
		args = args[1:]
	}
	switch {
	case len(args) == 0 || args[0].Text == "":
		l.bad(n.Span, "`%s` needs a regular expression", n.Name)
	case !l.compiles(args[0].Text):
		l.bad(args[0].Span, "`%s`: `%s` is no regular expression", n.Name, args[0].Text)
	case len(args) == 1 || args[1].Text == "":
		l.bad(n.Span, "`%s` needs a variable to set", n.Name)
	}
}

var rewriteOptions = names(`inherit inheritbefore inheritdown inheritdownbefore ignoreinherit allownoslash allowanyuri mergebase
	ignorecontextinfo legacyprefixdocroot unsafeprefixstat longurloptimization unsafeprefixstat`)

func checkRewriteOptions(l *lowerer, n *Node) {
	for _, a := range n.Args {
		if w := strings.ToLower(a.Text); !rewriteOptions[w] && !strings.HasPrefix(w, "maxredirects=") {
			l.bad(a.Span, "`RewriteOptions %s`: there is no such option", a.Text)
			return
		}
	}
}
