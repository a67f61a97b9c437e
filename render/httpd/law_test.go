package httpd

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/target"
)

var (
	corpusDir = flag.String("corpus", "", "directory of httpd files for the round trip")
	vectorDir = flag.String("vectors", "../../testdata/vectors/httpd/routing", "directory of vectors for the round trip")
)

// load reads files as one setup, as the command does for a conversion.
func load(t *testing.T, version string, paths ...string) *parse.Result {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: paths, Whole: true, HTTPD: version})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// back renders the setup and reads the result.
func back(t *testing.T, s *model.Setup) (*model.Setup, *target.Result, string) {
	t.Helper()
	res, err := Target.Render(s, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, res.Files[0].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := load(t, "2.4", file)
	if len(r.Broken) > 0 {
		t.Fatalf("the output has syntax errors: %v\n%s", r.Diags, res.Files[0].Data)
	}
	return r.Setup, res, string(res.Files[0].Data)
}

// TestRoundTrip: what is written says the same as the source, up to the
// modernisations that [normal] lists.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"broken", "fixed", "broken-on-current", "verbatim"} {
		t.Run(name, func(t *testing.T) {
			same(t, load(t, "", "../../testdata/seed/"+name).Setup)
		})
	}
}

// TestRoundTripVectors is the same for the configurations whose behaviour was recorded.
func TestRoundTripVectors(t *testing.T) {
	n := 0
	err := filepath.WalkDir(*vectorDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v struct {
			Config string
			Files  map[string]json.RawMessage
			Expect struct{ Exit int }
			Start  json.RawMessage `json:"startup"`
		}
		if json.Unmarshal(data, &v) != nil || v.Expect.Exit != 0 || len(v.Start) > 0 && string(v.Start) != "null" {
			return nil
		}
		dir := t.TempDir()
		if v.Config != "" {
			v.Files = map[string]json.RawMessage{"httpd.conf": quoted(v.Config)}
		}
		for name, raw := range v.Files {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				return nil
			}
			for i := range 26 {
				text = strings.ReplaceAll(text, fmt.Sprintf("@%c@", 'A'+i), fmt.Sprint(18001+i))
			}
			text = strings.NewReplacer("@FRONT@", "18080", "$ROOT", dir).Replace(text)
			file := filepath.Join(dir, filepath.FromSlash(name))
			os.MkdirAll(filepath.Dir(file), 0o755)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return nil
			}
		}
		r, err := parse.Load(parse.Options{Paths: []string{filepath.Join(dir, "httpd.conf")}, Whole: true, HTTPD: "2.4"})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			return nil
		}
		n++
		t.Run(filepath.Base(path), func(t *testing.T) { same(t, r.Setup) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d configurations", n); n < 100 {
		t.Errorf("only %d configurations were found below %s", n, *vectorDir)
	}
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

// TestRoundTripCorpus is the same for every file below -corpus.
func TestRoundTripCorpus(t *testing.T) {
	if *corpusDir == "" {
		t.Skip("no -corpus directory of httpd configurations given")
	}
	n := 0
	err := filepath.WalkDir(*corpusDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{".xml", ".json", ".properties"}, filepath.Ext(path)) {
			return err
		}
		if st, err := os.Stat(path); err != nil || st.Size() > 2<<20 {
			return nil
		}
		r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) != 1 {
			return nil
		}
		n++
		t.Run(filepath.Base(path), func(t *testing.T) { same(t, r.Setup) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files", n)
}

// TestExpressions: what is read to the end of its line keeps the quotes in it.
func TestExpressions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(`<Location /a>
<RequireAll>
Require all granted
Require not expr %{HTTP_USER_AGENT} == 'bad bot' || %{REQUEST_URI} =~ m#^/x "y"#
</RequireAll>
</Location>
<Directory /b>
Require expr "%{HTTP_HOST} in { 'a', 'b' }"
SSLRequire %{SSL_CLIENT_S_DN_O} eq "Our Firm" and %{TIME_HOUR} >= 8
<If "%{QUERY_STRING} =~ /a\"b/">
Header set X y
</If>
</Directory>
`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := load(t, "2.4", file)
	same(t, r.Setup)
	_, _, text := back(t, r.Setup)
	for _, want := range []string{`Require not expr %{HTTP_USER_AGENT} == 'bad bot' || %{REQUEST_URI} =~ m#^/x "y"#`, `Require expr %{HTTP_HOST} in { 'a', 'b' }`,
		`SSLRequire %{SSL_CLIENT_S_DN_O} eq "Our Firm" and %{TIME_HOUR} >= 8`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
}

// same renders and compares. What a note says was lost may differ; so that this
// hides nothing, a setup with such a note is compared only up to the facts noted.
func same(t *testing.T, s *model.Setup) {
	t.Helper()
	for i := range s.FrontEnds {
		one := &model.Setup{FrontEnds: s.FrontEnds[i : i+1], Unmapped: s.Unmapped}
		got, res, text := back(t, one)
		lost := 0
		for _, n := range res.Notes {
			if n.Loss >= target.Dropped {
				lost++
				t.Logf("%s %s: %s: %s", n.Span, n.Loss, n.Fact, n.Message)
			}
		}
		if len(got.FrontEnds) == 0 {
			if lost == 0 && len(res.Notes) > 0 {
				t.Errorf("nothing came back of\n%s", text)
			}
			continue
		}
		local(one.FrontEnds[0])
		local(got.FrontEnds[0])
		compareAccess(t, one.FrontEnds[0], got.FrontEnds[0], lost > 0)
		a, b := &model.Setup{FrontEnds: []*model.FrontEnd{normal(one.FrontEnds[0])}}, &model.Setup{FrontEnds: []*model.FrontEnd{normal(got.FrontEnds[0])}}
		diffs := model.Compare(a, b)
		for _, d := range diffs {
			if lost > 0 {
				t.Logf("(with losses) %s", d)
			} else {
				t.Error(d)
			}
		}
		if t.Failed() {
			t.Logf("\n%s", text)
		}
	}
}

// normal returns a copy without what the target says in another form: names of the
// front end, LoadModule lines, health check templates, the order of kinds of
// sections, balancers and workers, access rules (compared by what they let in), and
// directives of 2.2 that 2.4 does without.
func normal(f *model.FrontEnd) *model.FrontEnd {
	out := *f
	out.Name, out.Version, out.Host, out.ServerRoot, out.Modules = model.String{}, model.String{}, model.String{}, model.String{}, nil
	out.Main = normalServer(f.Main)
	out.VHosts = nil
	for _, v := range f.VHosts {
		out.VHosts = append(out.VHosts, normalServer(v))
	}
	return &out
}

func normalServer(s *model.Server) *model.Server {
	out := *s
	out.Settings = normalSettings(&s.Settings)
	out.Balancers = nil
	for _, b := range s.Balancers {
		c := *b
		c.Members = nil
		for _, m := range b.Members {
			c.Members = append(c.Members, normalMember(m))
		}
		out.Balancers = append(out.Balancers, &c)
	}
	slices.SortStableFunc(out.Balancers, func(a, b *model.Balancer) int { return strings.Compare(a.Name.V, b.Name.V) })
	out.Workers = nil
	for _, m := range s.Workers {
		if len(params(m)) > 0 { // without parameters it says nothing beside its ProxyPass
			out.Workers = append(out.Workers, normalMember(m))
		}
	}
	slices.SortStableFunc(out.Workers, func(a, b *model.Member) int { return strings.Compare(a.URL.V, b.URL.V) })
	var proxies, locations []*model.Section
	for _, sec := range s.Sections {
		c := *sec
		c.Settings = normalSettings(&sec.Settings)
		switch {
		case isLocation(sec):
			locations = append(locations, &c)
		case len(model.Compare(settingsOnly(&c.Settings), settingsOnly(&model.Settings{}))) > 0:
			proxies = append(proxies, &c)
		}
	}
	out.Sections = append(proxies, locations...)
	for _, sec := range out.Sections {
		if sec.Kind.V == "Proxy" && sec.Path.V == "" {
			sec.Path = model.String{}
		}
	}
	return &out
}

// local gives every page of mod_jk the form that balancer-manager has for it.
func local(f *model.FrontEnd) bool {
	jk := false
	for _, s := range servers(f) {
		for _, sec := range s.Sections {
			if st := &sec.Settings; st.Handler.V == "jk-status" {
				jk = true
				st.Handler.V = "balancer-manager"
				if st.Access == nil {
					st.Access = &model.Access{Require: &model.Require{Children: []*model.Require{{Args: []model.String{model.Def("local")}}}}}
				}
			}
		}
		if s == f.Main {
			continue
		}
		// A ProxyPass of a virtual host names balancers and workers of its own; mod_jk's belong to all servers.
		s.Balancers = slices.DeleteFunc(s.Balancers, func(b *model.Balancer) bool { return len(b.Members)+len(params(b)) == 0 })
		s.Workers = slices.DeleteFunc(s.Workers, func(w *model.Member) bool {
			return slices.ContainsFunc(f.Main.Workers, func(m *model.Member) bool { return strings.HasPrefix(w.URL.V, m.URL.V) })
		})
	}
	return jk
}

// settingsOnly puts settings into a setup for [model.Compare].
func settingsOnly(s *model.Settings) *model.Setup {
	return &model.Setup{FrontEnds: []*model.FrontEnd{{Main: &model.Server{Settings: *s}}}}
}

func normalMember(m *model.Member) *model.Member {
	c := *m
	c.HCTemplate = model.String{}
	for _, d := range []*model.Duration{&c.Retry, &c.Timeout, &c.TTL} {
		d.V = (d.V + time.Second - 1).Truncate(time.Second)
	}
	return &c
}

func normalSettings(s *model.Settings) model.Settings {
	out := *s
	out.Access = nil
	if a := s.Access; a != nil {
		out.Access = &model.Access{AuthType: a.AuthType, AuthName: a.AuthName, AuthFile: a.AuthFile}
		if !a.AuthType.IsSet() && !a.AuthName.IsSet() && !a.AuthFile.IsSet() {
			out.Access = nil
		}
	}
	out.Extras = normalExtras(s.Extras)
	return out
}

func normalExtras(list []*model.Directive) []*model.Directive {
	var out []*model.Directive
	for _, d := range list {
		name := strings.ToLower(d.Name.V)
		if _, gone := removed[name]; gone && !strings.HasPrefix(name, "max") || accessWord(d) || strings.HasPrefix(name, "jk") {
			continue
		}
		c := *d
		switch name {
		case "maxclients":
			c.Name.V = "MaxRequestWorkers"
		case "maxrequestsperchild":
			c.Name.V = "MaxConnectionsPerChild"
		case "options":
			if mixed(d) {
				continue // TestOptions
			}
		}
		c.Children = normalExtras(d.Children)
		out = append(out, &c)
	}
	return out
}

func mixed(d *model.Directive) bool {
	signs := map[bool]bool{}
	for _, a := range d.Args {
		signs[strings.ContainsAny(a.V[:1], "+-")] = true
	}
	return len(signs) == 2
}

// compareAccess compares access rules by whom they let in, section for section.
func compareAccess(t *testing.T, a, b *model.FrontEnd, lost bool) {
	t.Helper()
	x, y := accessList(a), accessList(b)
	if len(x) != len(y) {
		if !lost {
			t.Errorf("%d sections with access rules became %d", len(x), len(y))
		}
		return
	}
	for i := range x {
		if diff := differ(x[i], y[i]); diff != "" {
			t.Errorf("access rules of %s: %s", x[i].At, diff)
		}
	}
}

// accessList lists the access rules of a front end in an order that both sides have.
func accessList(f *model.FrontEnd) []*model.Access {
	var out []*model.Access
	add := func(a *model.Access) {
		if a != nil && (hasHosts(a) || a.Require != nil) {
			out = append(out, a)
		}
	}
	var extras func([]*model.Directive)
	extras = func(list []*model.Directive) {
		for _, d := range list {
			if d.Section.V {
				add(accessOf(d))
				extras(d.Children)
			}
		}
	}
	for _, s := range servers(f) {
		extras(s.Settings.Extras)
		for _, location := range []bool{false, true} {
			for _, sec := range s.Sections {
				if isLocation(sec) == location {
					extras(sec.Settings.Extras)
					add(sec.Settings.Access)
				}
			}
		}
	}
	return out
}

// differ decides both for all combinations of what their words may find true, by
// the text of the manuals; "" when they never differ.
func differ(a, b *model.Access) string {
	atoms := map[string]int{}
	collect(a, atoms)
	collect(b, atoms)
	if len(atoms) > 16 {
		return differAt(a, b, atoms, []int{0, 1<<len(atoms) - 1})
	}
	all := make([]int, 1<<len(atoms))
	for i := range all {
		all[i] = i
	}
	return differAt(a, b, atoms, all)
}

func differAt(a, b *model.Access, atoms map[string]int, worlds []int) string {
	for _, world := range worlds {
		is := func(atom string) bool { i, ok := atoms[atom]; return ok && world&(1<<i) != 0 }
		if x, y := letsIn(a, is), letsIn(b, is); x != y {
			var facts []string
			for atom := range atoms {
				if is(atom) {
					facts = append(facts, atom)
				}
			}
			slices.Sort(facts)
			return fmt.Sprintf("with %q it says %v, before %v", facts, y, x)
		}
	}
	return ""
}

// hostAtom is what a word behind from is about, and whether it must be false.
func hostAtom(w string) (atom string, not bool) {
	low := strings.ToLower(w)
	switch {
	case strings.HasPrefix(low, "env=!"):
		return "env " + w[5:], true
	case strings.HasPrefix(low, "env="):
		return "env " + w[4:], false
	}
	return "from " + low, false
}

func collect(a *model.Access, atoms map[string]int) {
	add := func(s string) {
		if _, ok := atoms[s]; !ok {
			atoms[s] = len(atoms)
		}
	}
	for _, w := range append(slices.Clone(a.Allow), a.Deny...) {
		if atom, _ := hostAtom(w.V); atom != "from all" && atom != "from none" {
			add(atom)
		}
	}
	var walk func(r *model.Require)
	walk = func(r *model.Require) {
		for _, atom := range requireAtoms(r) {
			add(atom)
		}
		for _, c := range r.Children {
			walk(c)
		}
	}
	if a.Require != nil {
		walk(a.Require)
	}
}

func requireAtoms(r *model.Require) (out []string) {
	if len(r.Args) == 0 || strings.EqualFold(r.Args[0].V, "all") {
		return nil
	}
	switch kind := strings.ToLower(r.Args[0].V); kind {
	case "ip", "host":
		for _, x := range r.Args[1:] {
			out = append(out, "from "+strings.ToLower(x.V))
		}
	case "env":
		for _, x := range r.Args[1:] {
			out = append(out, "env "+x.V)
		}
	default:
		out = []string{ledger.Describe(&model.Require{Args: r.Args})}
	}
	return out
}

// letsIn is Satisfy: of the host rules and the Require lines both must let in, or one.
func letsIn(a *model.Access, is func(string) bool) bool {
	in := func(list []model.String) bool {
		return slices.ContainsFunc(list, func(w model.String) bool {
			atom, not := hostAtom(w.V)
			return atom == "from all" || is(atom) != not && atom != "from none"
		})
	}
	hosts := true
	switch strings.ToLower(a.Order.V) {
	case "allow,deny", "mutual-failure":
		hosts = in(a.Allow) && !in(a.Deny)
	default:
		hosts = in(a.Allow) || !in(a.Deny)
	}
	if a.Require == nil {
		return hosts
	}
	require := holdsFor(a.Require, is)
	if strings.EqualFold(a.Satisfy.V, "any") {
		return hasHosts(a) && hosts || require
	}
	return hosts && require
}

func holdsFor(r *model.Require, is func(string) bool) bool {
	if len(r.Args) > 0 {
		v := slices.ContainsFunc(requireAtoms(r), is)
		if strings.EqualFold(r.Args[0].V, "all") {
			v = strings.EqualFold(r.Args[1].V, "granted")
		}
		return v != r.Not.V
	}
	each := func(want bool) bool {
		return slices.ContainsFunc(r.Children, func(c *model.Require) bool { return holdsFor(c, is) == want })
	}
	switch r.Group.V {
	case "all":
		return !each(false)
	case "none":
		return !each(true)
	}
	return each(true)
}
