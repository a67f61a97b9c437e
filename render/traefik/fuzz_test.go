package traefik

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"clowder/parse"
	"clowder/render/target"
)

// FuzzRender takes any httpd.conf through the target: the same twice, both files
// are of the form that this package writes, no template, and no text of the source
// stands outside of the words that it is written in.
func FuzzRender(f *testing.F) {
	for _, name := range []string{"../../testdata/seed/fixed/httpd.conf", "../../testdata/convert/httpd.conf"} {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(string(data))
		} else {
			f.Fatal(err)
		}
	}
	for _, c := range tables(f) {
		f.Add(confOf(c))
	}
	f.Add("Listen 80\nRequestHeader set X-A \"a{{b: c\"\nHeader always set X-B \"\u2028x: y\xff\"\nServerAlias \"b\u00fc`c\" *\nProxyPass \"/a {{b\" http://h:1/\n")
	f.Fuzz(func(t *testing.T, conf string) {
		r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, Whole: true, Config: "none", HTTPD: "2.4", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			return
		}
		one, err := render(r.Setup, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		two, err := render(r.Setup, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range one.Files {
			if string(file.Data) != string(two.Files[i].Data) {
				t.Fatalf("%s differs:\n%s\n%s", file.Name, file.Data, two.Files[i].Data)
			}
			checkFile(t, file)
		}
	})
}

// checkFile reads a file back strictly and compares it with what it says when it is
// written again.
func checkFile(t *testing.T, file target.File) {
	t.Helper()
	text := string(file.Data)
	if !strings.HasSuffix(file.Name, "dynamic.yml") {
		var s static
		checkYAML(t, text, &s)
		return
	}
	if strings.Contains(text, "{{") {
		t.Fatalf("a template:\n%s", text)
	}
	var d dynamic
	checkYAML(t, text, &d)
	for name, r := range d.HTTP.Routers {
		words, ok := ruleWords(r.Rule)
		if !ok || r.Service != "noop@internal" && d.HTTP.Services[r.Service] == nil || len(r.EntryPoints) == 0 {
			t.Fatalf("router %s: %q\n%s", name, words, text)
		}
		for _, m := range r.Middlewares {
			if d.HTTP.Middlewares[m] == nil {
				t.Fatalf("router %s uses %s\n%s", name, m, text)
			}
		}
		if r.Service == "noop@internal" && len(r.Middlewares) == 0 {
			t.Fatalf("router %s neither refuses nor leads anywhere\n%s", name, text)
		}
	}
	for name, m := range d.HTTP.Middlewares {
		var re string
		if m.ReplacePathRegex != nil {
			re = m.ReplacePathRegex.Regex
		} else if m.RedirectRegex != nil {
			re = m.RedirectRegex.Regex
		}
		if _, err := regexp.Compile(re); err != nil {
			t.Fatalf("middleware %s: %v\n%s", name, err, text)
		}
	}
}

func checkYAML(t *testing.T, text string, into any) {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := dec.Decode(new(any)); err != io.EOF {
		t.Fatalf("more than one document: %v\n%s", err, text)
	}
}

// ruleWords reads a rule as Traefik does, as an expression of Go, and returns the
// words in it; ok is false when something else than the known conditions stands
// there or a word is empty or no expression.
func ruleWords(rule string) (words []string, ok bool) {
	tree, err := parser.ParseExpr(rule)
	if err != nil {
		return nil, false
	}
	ok = true
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case nil, *ast.ParenExpr:
		case *ast.UnaryExpr:
			ok = ok && n.Op == token.NOT
		case *ast.BinaryExpr:
			ok = ok && (n.Op == token.LAND || n.Op == token.LOR)
		case *ast.Ident:
			ok = ok && slices.Contains([]string{"Host", "HostRegexp", "Path", "PathPrefix", "PathRegexp", "HeaderRegexp", "Method", "ClientIP"}, n.Name)
		case *ast.CallExpr:
			last, isWord := n.Args[len(n.Args)-1].(*ast.BasicLit)
			name, isName := n.Fun.(*ast.Ident)
			if ok = ok && isWord && isName; ok && strings.HasSuffix(name.Name, "Regexp") {
				re, err := strconv.Unquote(last.Value)
				_, bad := regexp.Compile(re)
				ok = err == nil && bad == nil
			}
		case *ast.BasicLit:
			word, err := strconv.Unquote(n.Value)
			ok = ok && err == nil && word != ""
			words = append(words, word)
		default:
			ok = false
		}
		return ok
	})
	return words, ok
}
