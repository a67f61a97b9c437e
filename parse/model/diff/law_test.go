package diff_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/model/diff"
)

// saysNothing are the keys that the comparison leaves out, on purpose.
var saysNothing = map[string]bool{
	"FrontEnd.name": true, "FrontEnd.ServerRoot": true, "FrontEnd.module": true, "Node.name": true,
	"Directive.guard": true, "Directive.fileguard": true, "Directive.section": true,
}

// TestEveryFieldCounts changes each value of a setup that holds one of everything:
// no change of a field of the model may go by unseen.
func TestEveryFieldCounts(t *testing.T) {
	a, b := &filler{}, &filler{}
	x, y := a.setup(), b.setup()
	if d := diff.Compare(x, y, diff.Options{}); len(d) > 0 {
		t.Fatalf("two equal setups differ: %v", d)
	}
	for i, leaf := range b.leaves {
		old := reflect.New(leaf.v.Type()).Elem()
		old.Set(leaf.v)
		leaf.change()
		d := diff.Compare(x, y, diff.Options{})
		if len(d) == 0 && !saysNothing[leaf.key] {
			t.Errorf("%s changed, and no difference is found", leaf.key)
		}
		if len(d) > 0 && saysNothing[leaf.key] {
			t.Errorf("%s changed: %v", leaf.key, d)
		}
		leaf.v.Set(old)
		_ = i
	}
	if len(b.leaves) < 400 {
		t.Errorf("only %d values were changed", len(b.leaves))
	}
}

// filler fills the model; all values are written and different.
type filler struct {
	n      int
	leaves []leaf
	depth  map[reflect.Type]int
}

type leaf struct {
	key string
	v   reflect.Value // a Value, or a string of an attribute
}

func (f *filler) setup() *model.Setup {
	f.depth = map[reflect.Type]int{}
	s := &model.Setup{}
	f.fill(reflect.ValueOf(s).Elem())
	front := s.FrontEnds[0]
	for _, srv := range append([]*model.Server{front.Main}, front.VHosts...) {
		srv.Settings.Access.Require = &model.Require{Group: model.Is("any", diag.Span{}), Children: []*model.Require{
			{Args: []model.String{model.Is("ip", diag.Span{}), model.Is("10.0.0.1", diag.Span{})}},
			{Not: model.Is(true, diag.Span{}), Args: []model.String{model.Is("host", diag.Span{})}}}}
		f.require(srv.Settings.Access.Require)
	}
	return s
}

func (f *filler) require(r *model.Require) {
	f.leaves = append(f.leaves, leaf{"Require.group", reflect.ValueOf(&r.Group).Elem()},
		leaf{"Require.not", reflect.ValueOf(&r.Children[0].Not).Elem()},
		leaf{"Require.args", reflect.ValueOf(&r.Children[0].Args[1]).Elem()})
}

func (f *filler) fill(v reflect.Value) {
	t := v.Type()
	if f.depth[t] > 1 {
		return
	}
	f.depth[t]++
	defer func() { f.depth[t]-- }()
	for _, field := range model.Fields(t) {
		fv, key := v.FieldByIndex(field.Index), t.Name()+"."+field.Key
		switch field.Kind {
		case model.ScalarField:
			f.scalar(key, field.Type, fv)
		case model.ListField:
			fv.Set(reflect.ValueOf([]model.String{{}}))
			f.scalar(key, field.Type, fv.Index(0))
		case model.StructField:
			if key != "Access.Require" && f.depth[field.Type] < 2 {
				fv.Set(reflect.New(field.Type))
				f.fill(fv.Elem())
			}
		case model.ArrayField:
			if f.depth[field.Type] > 1 || field.Key == "frontend" && f.depth[field.Type] > 0 {
				continue
			}
			fv.Set(reflect.MakeSlice(fv.Type(), 1, 1))
			fv.Index(0).Set(reflect.New(field.Type))
			f.fill(fv.Index(0).Elem())
		case model.AttrsField:
			f.n++
			x := &model.Attr{Name: fmt.Sprintf("attribute%d", f.n), Value: model.Is("v", diag.Span{})}
			fv.Set(reflect.ValueOf([]*model.Attr{x}))
			f.leaves = append(f.leaves, leaf{key, reflect.ValueOf(x).Elem().FieldByName("Name")}, leaf{key, reflect.ValueOf(&x.Value).Elem()})
		}
	}
}

func (f *filler) scalar(key string, t reflect.Type, v reflect.Value) {
	f.n++
	var x any
	switch t.Kind() {
	case reflect.String:
		x = fmt.Sprintf("text%d", f.n)
	case reflect.Bool:
		x = f.n%2 == 0
	case reflect.Int:
		x = f.n
	case reflect.Float64:
		x = float64(f.n)
	default:
		x = time.Duration(f.n) * time.Second
	}
	model.SetAny(v, x, diag.Span{})
	f.leaves = append(f.leaves, leaf{key, v})
}

func (l leaf) change() {
	if l.v.Kind() == reflect.String {
		l.v.SetString(l.v.String() + "x")
		return
	}
	x := l.v.Field(0)
	switch x.Kind() {
	case reflect.String:
		x.SetString(x.String() + "x")
	case reflect.Bool:
		x.SetBool(!x.Bool())
	case reflect.Float64:
		x.SetFloat(x.Float() + 1)
	default:
		x.SetInt(x.Int() + int64(time.Second))
	}
}

// TestNothingDiffersFromItself reads every setup of the test data twice.
func TestNothingDiffersFromItself(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../../../testdata", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".conf" && d.Name() != "server.xml" {
			return err
		}
		for _, x := range diff.Compare(read(t, path).Setup, read(t, path).Setup, diff.Options{}) {
			t.Errorf("%s: %s", path, x)
		}
		n++
		return nil
	})
	if err != nil || n < 100 {
		t.Errorf("%d files, %v", n, err)
	}
}

// TestLargeSetup: thrice as many virtual hosts take no more than thrice the work,
// also where a list that all of them inherit changed.
func TestLargeSetup(t *testing.T) {
	cost := func(n int, change string) float64 {
		dir := t.TempDir()
		for _, side := range []string{"a", "b"} {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "<Proxy balancer://b%d>\n BalancerMember ajp://h:%d route=a\n</Proxy>\nProxyPass /p%d http://p%d/\n", i, i+1, i, i)
				fmt.Fprintf(&b, "<VirtualHost *:80>\n ServerName h%d\n ProxyPass / balancer://b%d/ retry=3\n</VirtualHost>\n", i, i)
			}
			if side == "b" {
				b.WriteString(change)
			}
			if err := os.WriteFile(filepath.Join(dir, side+".conf"), []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		x, y := load(t, filepath.Join(dir, "a.conf")), load(t, filepath.Join(dir, "b.conf"))
		if found := diff.Compare(x, y, diff.Options{}); (len(found) > 0) != (change != "") || len(found) > 5 {
			t.Errorf("%d differences", len(found))
		}
		return testing.AllocsPerRun(1, func() { diff.Compare(x, y, diff.Options{}) })
	}
	for _, change := range []string{"", "ProxyPass /new http://new/\n<Proxy balancer://b1>\nBalancerMember ajp://h2:1\n</Proxy>\n"} {
		if few, many := cost(300, change), cost(900, change); many > 3.5*few {
			t.Errorf("300 virtual hosts take %.0f allocations, 900 take %.0f", few, many)
		}
	}
}
