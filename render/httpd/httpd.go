// Package httpd writes a setup as a configuration of httpd 2.4: one file that
// stands alone, with the modules that its directives need. Access rules of 2.2
// are written with Require where that means the same.
//
// What directives take is from the manual of httpd 2.4 and its sources, named
// where a function follows them; how lines are cut into words from
// server/util.c, which package parse/httpd follows as well.
package httpd

import (
	"bytes"
	"errors"
	"path"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/target"
)

// Target writes httpd.conf.
var Target = target.Target{
	Name:   "httpd",
	Doc:    "Apache httpd 2.4: httpd.conf with mod_proxy",
	Render: render,
}

// render writes a file for each front end: httpd.conf, or NAME/httpd.conf when
// there are several.
func render(s *model.Setup, o target.Options) (*target.Result, error) {
	if len(s.FrontEnds) == 0 {
		return nil, errors.New("the setup has no front end that could be written as httpd.conf")
	}
	led := ledger.New("httpd 2.4")
	res := Files(s, o, led, nil)
	res.Notes = append(led.Notes(s.FrontEnds), LostNotes(s)...)
	return res, nil
}

// Connector is another way to the Tomcats than mod_proxy, for [Files].
type Connector interface {
	// Module is its module, without mod_.
	Module() string
	// Head returns lines for the main server.
	Head() []string
	// Mounts returns lines for a server, and the paths that it cannot pass on, as
	// regular expressions: httpd refuses them.
	Mounts(*model.Server) (lines, refused []string)
	// Page reports whether the status page of the section is served, as the lines
	// of Mounts say.
	Page(*model.Server, *model.Section) bool
}

// Files writes httpd.conf for each front end and keeps account in the ledger; c is
// nil for mod_proxy. The result has no notes.
func Files(s *model.Setup, o target.Options, led *ledger.Ledger, c Connector) *target.Result {
	res := &target.Result{}
	for i, f := range s.FrontEnds {
		name := "httpd.conf"
		if len(s.FrontEnds) > 1 {
			name = folder(f.Name.V, i) + "/httpd.conf"
		}
		w := &writer{led: led, provenance: o.Provenance, front: f, mods: newModules(f), unmapped: s.Unmapped, conn: c}
		res.Files = append(res.Files, target.File{Name: name, Data: w.frontEnd(), Private: w.secret})
	}
	return res
}

// folder makes a safe name of a folder out of that of a front end.
func folder(name string, i int) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name)
	if strings.Trim(clean, ".") == "" {
		return "httpd" + strconv.Itoa(i+1)
	}
	return clean
}

// frontEnd returns the text of one httpd.conf. The body comes first, because it
// says which modules are needed.
func (w *writer) frontEnd() []byte {
	f := w.front
	w.access = planAccess(f)
	w.lost, w.filesLost = w.lostGuard(false), w.lostGuard(true)
	lost, filesLost := w.lost, w.filesLost
	main := f.Main
	if main == nil {
		main = &model.Server{At: f.At}
	}
	w.body(main)
	if w.lost != lost || w.filesLost != filesLost { // found on the way: the servers before that are closed, too
		w.buf.Reset()
		w.body(main)
	}
	body := bytes.Clone(w.buf.Bytes())
	w.buf.Reset()
	w.said = diag.Span{}
	w.raw("# Apache httpd 2.4, written by clowder. Values that equal httpd's defaults stand")
	w.raw("# here only where the source wrote them.")
	if f.ServerRoot.IsSet() {
		w.buf.WriteByte('\n')
		w.serverRoot()
	} else {
		w.buf.WriteByte('\n')
	}
	w.mods.write(w)
	w.buf.WriteByte('\n')
	w.buf.Write(bytes.TrimLeft(body, "\n"))
	return w.buf.Bytes()
}

func (w *writer) body(main *model.Server) {
	w.listens()
	w.workers()
	w.server(main)
	for _, v := range w.front.VHosts {
		w.virtualHost(v)
	}
	if w.conn == nil {
		w.ownMappings(main)
	}
}

// serverRoot keeps the folder. That of a 2.2 holds modules that 2.4 cannot load.
func (w *writer) serverRoot() {
	f := w.front
	if !w.put(f.ServerRoot, "ServerRoot", always(f.ServerRoot.V)) {
		return
	}
	if strings.HasPrefix(f.Version.V, "2.2") {
		w.led.Approx("the folder is kept; httpd 2.4 must be installed there, for modules of 2.2 do not load", "ServerRoot", f.ServerRoot)
	}
}

func (w *writer) listens() {
	if len(w.front.Listens) == 0 {
		return
	}
	w.comment("Sockets")
	for _, l := range w.front.Listens {
		addr := l.Address.V
		if strings.Contains(addr, ":") {
			addr = "[" + addr + "]"
		}
		if addr != "" {
			addr += ":"
		}
		words := []string{addr + strconv.Itoa(l.Port.V)}
		if l.Protocol.IsSet() {
			words = append(words, l.Protocol.V)
		}
		if l.Port.V < 1 || l.Port.V > 65535 {
			w.led.Person("the port must be from 1 to 65535; the line was left out", "Listen", l)
			continue
		}
		w.fact(l, "Listen", words...)
	}
}

// LostNotes tells what the reader of the source has no form for. Files of Tomcat
// are not what this target is about.
func LostNotes(s *model.Setup) (out []target.Note) {
	for _, u := range s.Unmapped {
		if !u.Span.IsValid() || isTomcats(u.Span.File.Name) || keptExtra(s, u.Span) || !isDirective(u.What) {
			continue
		}
		n := target.Note{Loss: target.Dropped, ID: "unmapped", Span: u.Span, Fact: u.What, Message: "clowder reads it, but has no form to write it in"}
		switch {
		case u.Guard:
			n.ID, n.Security, n.Message = "access", true, "it restricts who may send requests and could not be written; every request is refused"
		case u.FileGuard:
			n.ID, n.Security, n.Message = "access", true, "it restricts access to files and could not be written; every file is refused"
		}
		out = append(out, n)
	}
	return out
}

// isDirective leaves out remarks about words that httpd itself passes over, and
// about properties of mod_jk, which have their own notes.
func isDirective(what string) bool {
	return !strings.Contains(what, "which httpd ignores") && !strings.Contains(what, "which adds none")
}

func isTomcats(file string) bool {
	base := strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
	return strings.HasSuffix(base, ".xml") || base == "catalina.properties" || strings.HasSuffix(base, ".sh") || strings.HasSuffix(base, ".bat")
}

// lostGuard reports whether a rule about requests, or about files, has no form.
func (w *writer) lostGuard(files bool) bool {
	for _, u := range w.unmapped {
		if (files && u.FileGuard || !files && u.Guard) && u.Span.IsValid() && !isTomcats(u.Span.File.Name) && !keptIn(w.front, u.Span) {
			return true
		}
	}
	return false
}

func keptExtra(s *model.Setup, at diag.Span) bool {
	for _, f := range s.FrontEnds {
		if keptIn(f, at) {
			return true
		}
	}
	return false
}

// keptIn reports whether the directive at a place is one that the model keeps as
// it stands, or inside of one.
func keptIn(f *model.FrontEnd, at diag.Span) bool {
	found := false
	eachSettings(f, func(_ *model.Server, _ *model.Section, st *model.Settings) {
		for _, d := range st.Extras {
			found = found || holds(d, at)
		}
	})
	return found
}

func holds(d *model.Directive, at diag.Span) bool {
	if d.At.File == at.File && d.At.Start <= at.End && at.Start <= d.At.End && d.At.IsValid() {
		return true
	}
	for _, c := range d.Children {
		if holds(c, at) {
			return true
		}
	}
	return false
}

// eachSettings calls f for the settings of all servers and sections.
func eachSettings(front *model.FrontEnd, f func(*model.Server, *model.Section, *model.Settings)) {
	for _, s := range servers(front) {
		f(s, nil, &s.Settings)
		for _, sec := range s.Sections {
			f(s, sec, &sec.Settings)
		}
	}
}

// servers lists the main server and the virtual hosts.
func servers(f *model.FrontEnd) []*model.Server {
	var out []*model.Server
	if f.Main != nil {
		out = append(out, f.Main)
	}
	return append(out, f.VHosts...)
}
