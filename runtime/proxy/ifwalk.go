package proxy

import (
	"errors"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// ifSection is one <If>, <ElseIf> or <Else> ready to be asked.
type ifSection struct {
	m      *model.Directive
	cond   *expr.Bool // nil for <Else>
	orElse bool       // <ElseIf> and <Else>: only when the one before was not true
	layer  *layer
}

// condSection reports whether the section is one of the three.
func condSection(d *model.Directive) bool {
	switch strings.ToLower(d.Name.V) {
	case "if", "elseif", "else":
		return d.Section.V
	}
	return false
}

// walking tells that conditions of sections are being asked: what is not known of
// the request yet is empty for them.
type walking uint8

const (
	walkNone   walking = iota
	walkBefore         // the URL is not mapped yet
	walkAfter          // it is, and there is no handler yet but that of a proxied URL
)

// locate finds the settings that count for a path, and for a mapped URL.
func (c *call) locate(path, url string, w walking) {
	c.conf = c.srv.locate(path, url)
	if c.conf.ifs != nil {
		c.walking = w
		c.ifWalk()
		c.walking = walkNone
	}
}

// ifWalk puts the settings of the sections whose conditions are true over all
// others: they are merged with each other first, then what stands inside of them is
// asked (ap_if_walk of server/request.c).
func (c *call) ifWalk() {
	top := c.conf.ifs
	for list := top; len(list) > 0; list = c.conf.ifs {
		c.conf.ifs = nil
		var auth *authConf
		was := false
		for _, s := range list {
			if s.orElse && was {
				continue
			}
			if s.cond != nil {
				if was = c.holds(s); !was {
					continue
				}
			}
			s.layer.over(&c.conf)
			auth = s.layer.auth.over(auth)
		}
		c.conf.auth = auth.over(c.conf.auth)
	}
	c.conf.ifs = top
}

// holds asks the condition. As in httpd an error is no; a pattern that takes too
// long makes the request fail, as the section may guard something.
func (c *call) holds(s *ifSection) bool {
	var res expr.Result
	yes, err := s.cond.Eval(vars{c}, nil, &res)
	if err != nil {
		c.p.log.Error("AH00039: Failed to evaluate <If > condition", "place", s.m.At, "path", c.path, "reason", err)
		if errors.Is(err, pcre.ErrTimeout) {
			c.conf.unknown = err
		}
		return false
	}
	c.addVary(res.Vary)
	return yes
}

// keptSections is what a server or section has in sections that the model keeps as they
// stand.
type keptSections struct {
	access *model.Access // with what the limits say that is not about methods
	limits []*limit
	ifs    []*keptIf

	done []*model.Directive // outermost sections that are carried out
	not  []*model.Directive // sections that are not
	left []*model.Directive // directives in those of done that do nothing here
}

// keptIf is one <If>, <ElseIf> or <Else> as it is written.
type keptIf struct {
	m        *model.Directive
	cond     *expr.Bool
	settings *model.Settings
}

// readKept reads the sections among the Extras. Of a server path is "".
func readKept(s *model.Settings, path string, section diag.Span) *keptSections {
	return readInner(s, path, section, false)
}

// readInner reads those inside of a section; guard tells that something in it
// restricts access, which the model says of the outermost section only.
func readInner(s *model.Settings, path string, section diag.Span, guard bool) *keptSections {
	k := &keptSections{access: s.Access}
	k.readLimits(s, path, section)
	var chain []*model.Directive
	flush := func() {
		if len(chain) > 0 {
			k.chain(chain, guard)
		}
		chain = nil
	}
	for _, d := range s.Extras {
		switch {
		case !condSection(d):
		case strings.EqualFold(d.Name.V, "If"):
			flush()
			chain = append(chain, d)
		case len(chain) == 0 || strings.EqualFold(chain[len(chain)-1].Name.V, "Else"):
			flush()
			k.not = append(k.not, d) // httpd does not start
		default:
			chain = append(chain, d)
		}
	}
	flush()
	return k
}

// readLimits reads the limits; httpd knows none in servers.
func (k *keptSections) readLimits(s *model.Settings, path string, section diag.Span) {
	var read []*model.Directive
	for _, d := range s.Extras {
		if !limitSection(d) {
			continue
		}
		list, ok := readLimit(d, nil)
		if !ok || path == "" {
			k.not = append(k.not, d)
			continue
		}
		read = append(read, d)
		k.limits = append(k.limits, list...)
	}
	access, ok := withLimits(s.Access, k.limits, section)
	if !ok {
		k.not, k.limits = append(k.not, read...), nil
		return
	}
	k.access = access
	k.done = append(k.done, read...)
}

// chain reads an <If> with those that belong to it: all of them are carried out, or
// none.
func (k *keptSections) chain(list []*model.Directive, guard bool) {
	var ifs []*keptIf
	var left []*model.Directive
	for _, d := range list {
		guard = guard || d.Guard.V
	}
	for _, d := range list {
		x := &keptIf{m: d}
		var ok bool
		if x.cond, ok = keptCondition(d); !ok {
			k.not = append(k.not, list...)
			return
		}
		var rest []*model.Directive
		x.settings, rest = settingsOf(d.Children)
		inner := readInner(x.settings, ifPath, d.At, guard)
		rest = append(rest, inner.not...)
		for _, r := range rest {
			if guard && !harmless[strings.ToLower(r.Name.V)] {
				k.not = append(k.not, list...)
				return
			}
		}
		left = append(append(left, rest...), inner.left...)
		ifs = append(ifs, x)
	}
	k.ifs, k.left, k.done = append(k.ifs, ifs...), append(k.left, left...), append(k.done, list...)
}

// ifPath stands for the path of the sections, as in httpd.
const ifPath = "*If"

func keptCondition(d *model.Directive) (*expr.Bool, bool) {
	if strings.EqualFold(d.Name.V, "Else") {
		return nil, len(d.Args) == 0
	}
	if len(d.Args) != 1 {
		return nil, false
	}
	cond, err := expr.Parse(d.Arg(0), 0)
	return cond, err == nil
}

// harmless are directives that restrict nothing and change no other rule: without
// them a section that restricts access does so all the same.
var harmless = map[string]bool{"loglevel": true, "options": true, "allowoverride": true, "setoutputfilter": true, "addoutputfilter": true,
	"addoutputfilterbytype": true, "adddefaultcharset": true, "addcharset": true, "addencoding": true, "fileetag": true,
	"serversignature": true, "expiresactive": true, "expiresbytype": true, "expiresdefault": true}

// compileIfs makes the sections ready.
func (l *layer) compileIfs(list []*keptIf) error {
	for _, x := range list {
		inner, err := newLayer(x.settings, ifPath, x.m.At)
		if err != nil {
			return at(x.m.At, err)
		}
		l.ifs = append(l.ifs, &ifSection{m: x.m, cond: x.cond, orElse: !strings.EqualFold(x.m.Name.V, "If"), layer: inner})
	}
	return nil
}

// eachKept reads what every server and section keeps, also inside of <If>.
func eachKept(f *model.FrontEnd, do func(k *keptSections)) {
	var deep func(s *model.Settings, path string, section diag.Span)
	deep = func(s *model.Settings, path string, section diag.Span) {
		if len(s.Extras) == 0 {
			return
		}
		k := readKept(s, path, section)
		do(k)
		for _, x := range k.ifs {
			deep(x.settings, ifPath, x.m.At)
		}
	}
	for _, s := range append([]*model.Server{f.Main}, f.VHosts...) {
		if s == nil {
			continue
		}
		deep(&s.Settings, "", s.At)
		for _, sec := range s.Sections {
			deep(&sec.Settings, sec.Path.V, sec.At)
		}
	}
}

// CarriedOut returns a test of whether a <Limit>, <LimitExcept>, <If>, <ElseIf> or
// <Else> at a place that restricts access is carried out with all that does so in
// it. A place is known by its file and end.
// At a place that counts several times, by a macro or an Include, all must be.
func CarriedOut(fronts []*model.FrontEnd) func(diag.Span) bool {
	end := func(at diag.Span) diag.Span { return diag.Span{File: at.File, End: at.End} }
	carried := map[diag.Span]bool{}
	for _, f := range fronts {
		eachKept(f, func(k *keptSections) {
			for _, d := range k.done {
				if _, seen := carried[end(d.At)]; !seen {
					carried[end(d.At)] = true
				}
			}
			for _, d := range k.not {
				carried[end(d.At)] = false
			}
		})
	}
	return func(at diag.Span) bool { return carried[end(at)] }
}

// tellKept says what of the sections has no effect.
func (p *Proxy) tellKept() {
	eachKept(p.front, func(k *keptSections) {
		for _, d := range k.not {
			p.log.Warn("<"+d.Name.V+"> is not carried out by clowder run", "place", d.At)
		}
		for _, d := range k.left {
			if !condSection(d) && !limitSection(d) { // told by themselves
				p.log.Warn(d.Name.V+" in a conditional section is not carried out by clowder run", "place", d.At)
			}
		}
	})
}
