package traefik

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// headers carries header rules without conditions that set or remove one value.
func (w *writer) headers(o *plan.Outcome) []string {
	h := &headers{CustomRequestHeaders: map[string]string{}, CustomResponseHeaders: map[string]string{}}
	for _, r := range o.Settings.Headers {
		name := http.CanonicalHeaderKey(r.Name.V) // one key for each: Traefik takes them in any order
		into := h.CustomResponseHeaders
		if r.Request.V {
			into = h.CustomRequestHeaders
		}
		value := r.Value.V
		switch {
		case r.Cond.V != "" || strings.Contains(strings.ReplaceAll(value, "%%", ""), "%"):
			if r.Request.V && (r.Action.V == "set" || r.Action.V == "unset") { // members trust what httpd puts there
				into[name] = ""
				w.l.Drop("Traefik knows no conditions and variables: the header is removed from all requests", "a plugin", r)
			}
			continue
		case r.Action.V == "unset":
			value = ""
		case r.Action.V != "set":
			continue
		case value == "" && r.Request.V:
			into[name] = ""
			w.l.Approx("Traefik has no empty headers: it is removed", "", r)
			continue
		case value == "":
			continue // Traefik would remove the header
		}
		into[name] = strings.ReplaceAll(value, "%%", "%")
		if r.Request.V || r.Always.V {
			w.l.Exact(r)
		} else {
			w.l.Approx("it is done for answers of every status", "", r)
		}
	}
	if len(h.CustomRequestHeaders)+len(h.CustomResponseHeaders) == 0 {
		return nil
	}
	return []string{w.middleware("headers", &middleware{Headers: h})}
}

// tls adds the certificate of a site.
func (w *writer) tls(s *plan.Site) {
	t := s.TLS
	if t == nil {
		return
	}
	if w.dynamic.TLS == nil {
		w.dynamic.TLS = &tlsPart{Options: map[string]*tlsOption{}}
	}
	key := t.KeyFile.Or(t.CertFile.V)
	if t.CertFile.V == "" {
		w.l.Person("no certificate is written: Traefik uses one of its own making", "tls.certificates", t.Engine)
	} else {
		w.dynamic.TLS.Certificates = append(w.dynamic.TLS.Certificates, certificate{t.CertFile.V, key})
	}
	if t.ChainFile.IsWritten() {
		w.l.Person("put the chain behind the certificate in one file", "", t.ChainFile)
	}
	w.l.Exact(t.Engine, t.CertFile, t.KeyFile)
	opt := &tlsOption{MinVersion: "VersionTLS12"}
	w.protocols(t, opt)
	w.l.Approx("Go's own list of ciphers without known weaknesses is used", "tls.options.cipherSuites", t.CipherSuite, t.CipherOrder)
	w.clients(t, opt)
	w.dynamic.TLS.Options[w.tlsOptions(s)] = opt
	w.defaults(s, opt)
	if t.CARevocation.V != "" {
		w.refused[s] = true
		w.l.Closed("Traefik reads no lists of revoked certificates: the whole virtual host is refused", "", t.CARevocation)
	}
}

// defaults sees to it that the options hold: Traefik applies those of a router only
// for the names in its Host conditions, else the options called default
// (pkg/server/router/tcp/manager.go of Traefik).
func (w *writer) defaults(s *plan.Site, opt *tlsOption) {
	if w.every[s] == nil && !wild(s) {
		return
	}
	have := w.dynamic.TLS.Options["default"]
	switch {
	case have == nil && w.every[s] != nil:
		w.dynamic.TLS.Options["default"] = opt
	case have == nil && opt.ClientAuth == nil || have != nil && reflect.DeepEqual(have.ClientAuth, opt.ClientAuth):
	default:
		w.refused[s] = true
		w.l.Closed("Traefik has one set of options for all names that no Host condition tells: the whole virtual host is refused", "an instance of its own", s.TLS.VerifyClient, s.TLS.Engine)
	}
}

// protocols carries SSLProtocol; TLS 1.2 is the least in any case.
func (w *writer) protocols(t *model.TLS, opt *tlsOption) {
	on := map[string]bool{}
	for word := range strings.FieldsSeq(strings.ToLower(t.Protocol.Or("all"))) {
		name := strings.TrimLeft(word, "+-")
		for _, v := range []string{"tlsv1.2", "tlsv1.3"} {
			if name == v || name == "all" {
				on[v] = !strings.HasPrefix(word, "-")
			}
		}
	}
	w.l.Approx("TLS 1.2 is the oldest that is spoken", "tls.options.minVersion", t.Protocol)
	switch {
	case on["tlsv1.3"] && !on["tlsv1.2"]:
		opt.MinVersion = "VersionTLS13"
	case on["tlsv1.2"] && !on["tlsv1.3"]:
		opt.MaxVersion = "VersionTLS12"
	}
}

// clients carries certificates of clients.
func (w *writer) clients(t *model.TLS, opt *tlsOption) {
	kind := ""
	switch strings.ToLower(t.VerifyClient.V) {
	case "", "none":
		return
	case "optional":
		kind = "VerifyClientCertIfGiven"
	case "optional_no_ca":
		kind = "RequestClientCert"
	default:
		kind = "RequireAndVerifyClientCert"
	}
	if t.CAFile.V == "" {
		w.l.Closed("Traefik takes a file of authorities, and none is written: no client's certificate is good", "tls.options.clientAuth.caFiles", t.VerifyClient, t.CAPath)
		opt.ClientAuth = &clientAuth{[]string{t.CertFile.V}, "RequireAndVerifyClientCert"}
		return
	}
	opt.ClientAuth = &clientAuth{[]string{t.CAFile.V}, kind}
	w.l.Exact(t.CAFile)
	if kind == "RequestClientCert" {
		w.l.Exact(t.VerifyClient, t.VerifyDepth)
		return
	}
	w.l.Weaker("Traefik does not bound the depth of chains, httpd does (SSLVerifyDepth, 1 by default)", "a file with the direct issuer only", t.VerifyClient, t.VerifyDepth)
}

// tlsOptions names the options of a site; "default" has a meaning of its own.
func (w *writer) tlsOptions(s *plan.Site) string {
	if s.Name == "default" {
		return "default-site"
	}
	return s.Name
}

// early writes a rewrite rule that comes before the mappings. One that cannot be
// said refuses what its pattern is about, when it would change where a request goes.
func (w *writer) early(s *plan.Site, host string, e *plan.Early) {
	if e.Kind == plan.EarlyOther && e.Target == "-" {
		return // dropped: it sets variables
	}
	rule, exact := w.earlyRule(s, host, e)
	if rule == "" {
		w.l.Exact(e.Source)
		return
	}
	refuse := func(why string) {
		w.l.Closed(why+": what its pattern matches is refused", "a router of its own", e.Source)
		w.router(s, rule, []string{w.deny()}, "")
	}
	switch {
	case e.Kind == plan.EarlyRefuse:
		switch {
		case !exact:
			w.l.Closed("a condition cannot be said in Traefik: it refuses without it, and so more", "", e.Source)
		case e.Status == 403:
			w.l.Exact(e.Source)
		default:
			w.l.Approx("it answers 403", "", e.Source)
		}
		w.router(s, rule, []string{w.deny()}, "")
	case e.Kind == plan.EarlyRedirect && exact:
		m := w.earlyRedirect(e)
		if m == "" {
			refuse("Traefik's replacements cannot say the target")
			return
		}
		w.router(s, rule, []string{m}, "")
	default:
		refuse("it has no counterpart in Traefik")
	}
}

// earlyRule writes the condition of a rewrite rule, "" when it never applies; exact
// is false when something of it had to be left out, so that it matches more.
func (w *writer) earlyRule(s *plan.Site, host string, e *plan.Early) (rule string, exact bool) {
	rule, exact = host, !e.Unknown
	add := func(t plan.Test, cond string) {
		if t.Not {
			cond = "!" + cond
		}
		rule = both(rule, cond)
	}
	switch {
	case e.Path.Always:
	case e.Path.RE2:
		add(e.Path, "PathRegexp("+pattern(e.Path.Regex)+")")
	default:
		exact = false
	}
	for _, chain := range e.Chains() {
		var alts []string
		known := true
		for _, c := range chain {
			cond, ok := condition(s, c)
			known = known && ok
			alts = append(alts, cond)
		}
		switch {
		case !known:
			exact = false // the whole chain is left out: half of it would demand more
		case slices.Contains(alts, always):
		default:
			if alts = slices.DeleteFunc(alts, func(c string) bool { return c == never }); len(alts) == 0 {
				return "", true
			}
			rule = both(rule, group(alts))
		}
	}
	return both(rule, "PathPrefix(`/`)"), exact
}

// What a condition on TLS is for all requests of a site.
const always, never = "always", "never"

// hidden are the headers that Traefik takes out of a request or writes itself before
// it asks its rules (pkg/middlewares/forwardedheaders; net/http of Go).
var hidden = regexp.MustCompile(`(?i)^(X-Forwarded-.*|X-Real-Ip|Connection|Transfer-Encoding|Trailer|)$`)

// condition writes one condition; ok is false for one that Traefik cannot ask.
func condition(s *plan.Site, c plan.Cond) (cond string, ok bool) {
	if !c.RE2 {
		return "", false
	}
	switch {
	case c.What == plan.CondHTTPS:
		return map[bool]string{true: always, false: never}[(s.TLS != nil) != c.Not], true
	case c.What == plan.CondHost, c.What == plan.CondHeader && strings.EqualFold(c.Name, "Host"):
		if !looksAtName(c.Regex) {
			return "", false
		}
		cond = "HostRegexp(" + hostPattern(c.Regex) + ")"
	case c.What == plan.CondPath:
		cond = "PathRegexp(" + pattern(c.Regex) + ")"
	case c.What == plan.CondHeader:
		return headerCondition(c)
	default:
		return "", false
	}
	if c.Not {
		cond = "!" + cond
	}
	return cond, true
}

// headerCondition writes a condition on a header. httpd joins several headers of one
// name with commas, Traefik looks for one of them that matches: where a condition is
// negated, one good header must not hide a bad one behind it.
func headerCondition(c plan.Cond) (cond string, ok bool) {
	if hidden.MatchString(c.Name) {
		return "", false
	}
	header := func(re string) string { return "HeaderRegexp(" + quote(c.Name) + ", " + pattern(re) + ")" }
	absent := "!" + header(".*")
	if text, whole := wholeText(c.Regex); c.Not && whole && len(text) < 100 {
		if cond = header(others(text)); text != "" {
			cond = "(" + cond + " || " + absent + ")"
		}
		return cond, true
	}
	if c.Not && !endless(c.Regex) {
		return "", false
	}
	if cond = header(c.Regex); c.MatchesEmpty() {
		cond = "(" + cond + " || " + absent + ")"
	}
	if c.Not {
		cond = "!" + cond
	}
	return cond, true
}

var variable = regexp.MustCompile(`%\{(HTTP_HOST|SERVER_NAME|REQUEST_URI)\}`)

// earlyRedirect returns the middleware of a redirecting rule, "" when the target
// holds something that Traefik does not know.
func (w *writer) earlyRedirect(e *plan.Early) string {
	to := e.Target
	re, anchored := strings.CutPrefix(trimEnd(e.Path.Regex), "^")
	if !anchored && !e.Path.Always {
		return ""
	}
	if e.Path.Always {
		re = "/?(.*)"
	}
	// Groups: 1 host with port, 2 path and query, then those of the pattern.
	full := "^https?://([^/]+)" + "(?:" + re + ")(?:\\?.*)?$"
	if strings.Contains(to, "%{REQUEST_URI}") {
		if groupRef.MatchString(to) {
			return ""
		}
		full = "^https?://([^/]+)(/.*)$"
	}
	to = groupRef.ReplaceAllStringFunc(strings.ReplaceAll(to, "${", ""), func(m string) string { return "${" + string(m[1]+1) + "}" })
	to = variable.ReplaceAllStringFunc(to, func(m string) string {
		if m == "%{REQUEST_URI}" {
			return "${2}"
		}
		return "${1}"
	})
	if strings.ContainsAny(to, "%") || !strings.Contains(to, "://") {
		return ""
	}
	if _, err := regexp.Compile(full); err != nil {
		return ""
	}
	w.l.Approx("Traefik answers 301 or 302, and 307 or 308 for other methods than GET", "", e.Source)
	return w.middleware("redirect", &middleware{RedirectRegex: &redirectRule{Regex: full, Replacement: to, Permanent: e.Status == 301 || e.Status == 308}})
}
