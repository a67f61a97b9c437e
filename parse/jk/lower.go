package jk

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// Options say how files and variables are found.
type Options struct {
	Root string                            // put in front of absolute paths
	Env  func(string) (string, bool)       // $(NAME); nil: none
	Open func(name string) ([]byte, error) // reads JkWorkersFile and JkMountFile
}

// Result is what was read beside the model.
type Result struct {
	Files    []*diag.File       // workers and rules files, in the order read
	Unmapped []model.Unmapped   // properties, rules and options that the model does not hold
	Mapped   map[diag.Span]bool // directives that are in the model now
	Diags    diag.List
}

// Lower puts the Jk directives of the configuration and the files that they name
// into the front end: lb workers become balancers and the other workers plain
// workers of the main server, rules become mappings behind those of mod_proxy,
// whose turn comes first in httpd too. The mappings stand so that the first match
// decides as mod_jk's own search does. A configuration without Jk directives is
// left as it is.
func Lower(front *model.FrontEnd, cfg *httpd.Config, o Options) Result {
	l := &lowerer{o: o, front: front, cfg: cfg, main: &server{srv: front.Main}, budget: 10_000_000}
	l.Mapped = map[diag.Span]bool{}
	l.t = newTable(o.Env)
	l.w = &workers{t: l.t}
	l.walk(cfg.Nodes, l.main, nil)
	if !l.any {
		return l.Result
	}
	if l.workersFile != nil {
		l.readWorkers(l.workersFile)
	}
	for _, p := range l.t.resolve() {
		l.report("H007", "bad-parameter-value", diag.Error, p.ValueSpan, "reference `%s` names no worker", p.Value)
	}
	l.define()
	l.servers()
	l.Diags = append(l.Diags, l.w.diags...)
	l.leftovers()
	l.once()
	return l.Result
}

// once removes what was said again for a virtual host that copies rules.
func (l *lowerer) once() {
	seen := map[string]bool{}
	l.Unmapped = slices.DeleteFunc(l.Unmapped, func(u model.Unmapped) bool { return again(seen, u.Span, u.What) })
	l.Diags = slices.DeleteFunc(l.Diags, func(d diag.Diagnostic) bool { return again(seen, d.Span, d.ID+d.Message) })
}

func again(seen map[string]bool, at diag.Span, text string) bool {
	key := fmt.Sprintf("%p %d %d %s", at.File, at.Start, at.End, text)
	old := seen[key]
	seen[key] = true
	return old
}

// server is one server of httpd and its rules (jk_server_conf_t).
type server struct {
	srv  *model.Server
	own  mounts
	file *mounts // of JkMountFile
	has  bool    // JkMount, JkUnMount or JkMountFile stands in it
	copy *bool   // JkMountCopy On or Off
}

// target is where a worker's requests go.
type target struct {
	kind  string // lb, status, or a plain worker
	url   string
	place diag.Span
}

type lowerer struct {
	Result
	o     Options
	front *model.FrontEnd
	cfg   *httpd.Config
	t     *table
	w     *workers

	main        *server
	hosts       []*server
	nextHost    int
	copyAll     bool
	any         bool
	workersFile *httpd.Node
	unread      bool // JkWorkersFile could not be read
	targets     map[string]target
	made        model.Server                // balancers and workers of mod_jk
	budget      int                         // how much may still be spent on cutting exclusions
	before      []string                    // patterns of the mappings of the server at hand
	whole       map[diag.Span]*model.Server // exclusions that were taken whole there
}

func (l *lowerer) report(id, name string, sev diag.Severity, at diag.Span, format string, args ...any) {
	if len(l.Diags) < maxDiags {
		l.Diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: sev, Confidence: diag.Certain, Span: at, Message: fmt.Sprintf(format, args...)})
	}
}

func (l *lowerer) bad(at diag.Span, format string, args ...any) {
	l.report("H007", "bad-parameter-value", diag.Error, at, format, args...)
}

func (l *lowerer) skip(at diag.Span, format string, args ...any) {
	l.Unmapped = append(l.Unmapped, model.Unmapped{Span: at, What: fmt.Sprintf(format, args...)})
}

// walk collects the Jk directives of a server; loc is the Location around them.
func (l *lowerer) walk(nodes []*httpd.Node, s *server, loc *httpd.Node) {
	for _, n := range nodes {
		switch {
		case n.Kind == httpd.Section && n.Is("VirtualHost"):
			if v := l.host(n); v != nil {
				l.walk(n.Children, v, nil)
			}
		case n.Kind == httpd.Section && n.Is("Location") && len(n.Args) == 1:
			l.walk(n.Children, s, n)
		case n.Kind == httpd.Directive && len(n.Name) > 2 && strings.EqualFold(n.Name[:2], "Jk"):
			l.any = true
			l.directive(n, s, loc)
		}
	}
}

// host returns the server of a <VirtualHost> tag. The model lists them in the
// order of the tags.
func (l *lowerer) host(n *httpd.Node) *server {
	for i := l.nextHost; i < len(l.front.VHosts); i++ {
		if l.front.VHosts[i].At == n.Span {
			l.nextHost = i + 1
			v := &server{srv: l.front.VHosts[i]}
			l.hosts = append(l.hosts, v)
			return v
		}
	}
	return nil
}

func (l *lowerer) directive(n *httpd.Node, s *server, loc *httpd.Node) {
	switch strings.ToLower(n.Name) {
	case "jkmount", "jkunmount":
		l.mount(n, s, loc)
	case "jkmountcopy":
		on := !strings.EqualFold(n.Arg(0), "off")
		if strings.EqualFold(n.Arg(0), "all") {
			l.copyAll = true
		} else {
			s.copy = &on
		}
		l.Mapped[n.Span] = true
	case "jkmountfile":
		s.has = true
		if f := l.read(n); f != nil {
			m, diags := readURIMap(f, l.o.Env)
			s.file = m
			l.Diags = append(l.Diags, diags...)
			l.Mapped[n.Span] = true
		}
	case "jkworkersfile":
		switch {
		case s != l.main:
			l.report("H004", "directive-not-allowed-here", diag.Error, n.Span, "`JkWorkersFile` is not allowed inside `<VirtualHost>`")
		case l.workersFile != nil:
			l.bad(n.Span, "`JkWorkersFile` may stand only once")
		default:
			l.workersFile = n
		}
	case "jkworkerproperty":
		l.property(n)
	}
}

// property puts a JkWorkerProperty line into the table (jk_set_worker_property).
func (l *lowerer) property(n *httpd.Node) {
	f, start := n.RawArgs().File, int(n.RawArgs().Start)
	exact := n.RawArgs().Text() == n.Text()
	if !exact { // variables of httpd were replaced: the words have no place of their own
		f, start = diag.NewFile("", []byte(n.Text())), 0
	}
	p, ok := parseLine(f, start, start+len(n.Text()))
	if !ok {
		l.bad(n.Span, "`JkWorkerProperty` needs key=value")
		return
	}
	if !exact {
		p.KeySpan, p.ValueSpan, p.Span = n.RawArgs(), n.RawArgs(), n.RawArgs()
	}
	checkAttribute(&l.Diags, p)
	l.t.add(p, true)
	l.Mapped[n.Span] = true
}

// mount takes JkMount and JkUnMount (jk_mount_context in mod_jk.c).
func (l *lowerer) mount(n *httpd.Node, s *server, loc *httpd.Node) {
	args := n.Args
	if loc != nil && len(args) == 1 {
		args = []httpd.Arg{loc.Args[0], args[0]}
	} else if loc != nil {
		l.report("H004", "directive-not-allowed-here", diag.Error, n.Span, "`%s` with a path is not allowed inside `<Location>`", n.Name)
		return
	}
	if len(args) != 2 {
		l.bad(n.Span, "`%s` needs a path and a worker", n.Name)
		return
	}
	if !strings.HasPrefix(args[0].Text, "/") {
		l.bad(args[0].Span, "`%s %s`: the path must begin with a slash", n.Name, args[0].Text)
		return
	}
	m := mount{path: args[0].Text, worker: args[1].Text, span: n.Span, pathAt: args[0].Span, wkAt: args[1].Span, from: fromJkMount}
	if n.Is("JkUnMount") {
		m.path = "!" + m.path
	}
	s.has = true
	if old := s.own.put(m); old.IsValid() {
		delete(l.Mapped, old)
	}
	l.Mapped[n.Span] = true
}

// maxFile bounds one workers or rules file, in bytes.
const maxFile = 8 << 20

// read opens the file that a directive names; relative names are below
// ServerRoot. A missing one is H010; nil when nothing was read.
func (l *lowerer) read(n *httpd.Node) *diag.File {
	if len(n.Args) != 1 || n.Arg(0) == "" {
		l.bad(n.Span, "`%s` takes one argument", n.Name)
		return nil
	}
	var data []byte
	var err error
	name := ""
	for _, name = range l.paths(n.Arg(0)) {
		if data, err = l.o.Open(name); err == nil {
			break
		}
	}
	if err != nil {
		// A setup that was copied off its machine: the file may stand beside the
		// one that names it.
		near := filepath.Join(filepath.Dir(n.Span.File.Name), filepath.Base(strings.ReplaceAll(n.Arg(0), `\`, "/")))
		if data, err = l.o.Open(near); err == nil {
			name = near
			l.report("H010", "include-not-found", diag.Warning, n.Args[0].Span, "`%s %s` finds no file; `%s` beside this one was read in its place", n.Name, n.Arg(0), filepath.Base(near))
		}
	}
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	if err != nil {
		l.report("H010", "include-not-found", diag.Warning, n.Args[0].Span, "`%s %s` finds no file; mod_jk does not start without it", n.Name, n.Arg(0))
		return nil
	}
	f := diag.NewFile(name, data)
	l.Files = append(l.Files, f)
	return f
}

// paths lists where the file may be: below the root; and, when it stands below
// the ServerRoot of another machine, below the folder in its place.
func (l *lowerer) paths(arg string) []string {
	p := strings.ReplaceAll(arg, `\`, "/")
	if !filepath.IsAbs(p) && !(len(p) > 2 && p[1] == ':') {
		return []string{filepath.Join(l.cfg.ServerRoot, p)}
	}
	out := []string{p}
	if l.o.Root != "" {
		out[0] = filepath.Join(l.o.Root, p)
	}
	w := strings.TrimSuffix(strings.ReplaceAll(l.front.ServerRoot.V, `\`, "/"), "/")
	if w != "" && len(p) > len(w) && strings.EqualFold(p[:len(w)], w) && p[len(w)] == '/' {
		out = append(out, filepath.Join(l.cfg.ServerRoot, p[len(w)+1:]))
	}
	return out
}

func (l *lowerer) readWorkers(n *httpd.Node) {
	f := l.read(n)
	if f == nil {
		l.unread = true
		return
	}
	props, diags := ParseProperties(f)
	l.Diags = append(l.Diags, diags...)
	for _, p := range props {
		l.t.add(p, true)
	}
	l.Mapped[n.Span] = true
}

// define lowers the workers of worker.list; without that line the list is
// "ajp13" (wc_open in native/common/jk_worker.c).
func (l *lowerer) define() {
	l.targets = map[string]target{}
	list := l.t.byKey["worker.list"]
	if list == nil {
		if !l.unread && len(l.t.entries) > 0 {
			l.worker(item{"ajp13", l.t.entries[0].last().Span})
		}
		return
	}
	l.t.use(list)
	for _, it := range list.items() {
		l.worker(it)
	}
}

func (l *lowerer) worker(it item) {
	if _, ok := l.targets[it.text]; ok || len(l.targets) >= maxProperties {
		return
	}
	t := target{kind: l.w.kind(it.text), place: it.at}
	switch t.kind {
	case "lb":
		b := l.w.balancer(it.text, it.at)
		b.Name.V = l.freeName(it.text)
		t.url = "balancer://" + b.Name.V
		l.front.Main.Balancers = append(l.front.Main.Balancers, b)
		l.made.Balancers = append(l.made.Balancers, b)
	case "status":
	case "ajp13", "ajp14":
		m := l.w.member(it.text, it.at)
		t.url = m.URL.V
		l.plain(m)
	default:
		l.skip(it.at, "worker %s of type %s", it.text, t.kind)
	}
	l.targets[it.text] = t
}

// plain adds a worker unless one with its URL is there already.
func (l *lowerer) plain(m *model.Member) {
	for _, w := range l.front.Main.Workers {
		if strings.EqualFold(w.URL.V, m.URL.V) {
			return
		}
	}
	l.front.Main.Workers = append(l.front.Main.Workers, m)
	l.made.Workers = append(l.made.Workers, m)
}

// freeName keeps a worker apart from a balancer of mod_proxy with its name.
func (l *lowerer) freeName(name string) string {
	for taken := true; taken; {
		taken = false
		for _, s := range append([]*model.Server{l.front.Main}, l.front.VHosts...) {
			for _, b := range s.Balancers {
				taken = taken || strings.EqualFold(b.Name.V, name)
			}
		}
		if taken {
			name += "-jk"
		}
	}
	return name
}

// leftovers lists the properties of workers that are not in the model.
func (l *lowerer) leftovers() {
	l.Unmapped = append(l.Unmapped, l.w.notes...)
	seen := map[diag.Span]bool{}
	for _, e := range l.t.entries {
		for _, p := range e.parts {
			if strings.HasPrefix(p.Key, "worker.") && !l.t.used[p.Span] && !seen[p.Span] {
				seen[p.Span] = true
				l.skip(p.Span, "%s", p.Key)
			}
		}
	}
}
