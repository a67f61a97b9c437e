package main

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

// inputFlags are the arguments of every command that reads a setup.
type inputFlags struct {
	Paths   []string `arg:"" optional:"" name:"path" help:"Files or directories of the setup (default: this directory)."`
	HTTPD   string   `name:"httpd" placeholder:"VERSION" help:"Version of httpd, such as 2.2.21 or 2.4."`
	Tomcat  []string `name:"tomcat" placeholder:"[NODE=]VERSION" sep:"none" help:"Version of Tomcat, such as 7.0.23 or s1=10.1. Repeatable."`
	Host    []string `name:"host" placeholder:"NODE=ADDRESS" sep:"none" help:"Machine that a node, or the httpd of a file, runs on. Repeatable."`
	Define  []string `short:"D" name:"define" placeholder:"NAME" sep:"none" help:"Set a name as httpd -D does. Repeatable."`
	RootDir string   `name:"root" placeholder:"DIR" help:"Put before absolute paths in Include and ServerRoot: for a copied /etc."`
}

// load reads the setup.
func (f *inputFlags) load() (*parse.Result, error) { return f.loadWith(parse.Options{}) }

// loadBounded reads the setup for a command that ends soon behind it, with a
// limit for the memory; see [boundMemory].
func (f *inputFlags) loadBounded() (*parse.Result, error) {
	return f.loadWith(parse.Options{Read: boundMemory()})
}

func (f *inputFlags) loadWith(o parse.Options) (*parse.Result, error) {
	o.Paths, o.Root, o.Defines, o.HTTPD = f.Paths, f.RootDir, f.Define, f.HTTPD
	if len(o.Paths) == 0 {
		o.Paths = []string{"."}
	}
	var err error
	if o.Tomcat, err = pairs("--tomcat", f.Tomcat, true); err != nil {
		return nil, err
	}
	if o.Hosts, err = pairs("--host", f.Host, false); err != nil {
		return nil, err
	}
	r, err := parse.Load(o)
	if err != nil {
		return nil, err
	}
	if len(r.UnusedNames) > 0 {
		return nil, usage("%s", strings.Join(r.UnusedNames, "\n"))
	}
	for _, d := range r.Diags {
		if strings.HasPrefix(d.ID, "C1") && d.Severity == diag.Error {
			return nil, codeError{exitUsage, fmt.Errorf("%s: %s [%s %s]", d.Span, d.Message, d.ID, d.Name)}
		}
	}
	return r, nil
}

// pairs reads NAME=VALUE words; with bare allowed, VALUE alone gets the name "".
func pairs(flag string, words []string, bare bool) (map[string]string, error) {
	out := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok && bare {
			name, value = "", w
		}
		if value == "" || !ok && !bare {
			return nil, usage("%s %s: want NAME=VALUE", flag, w)
		}
		out[name] = value
	}
	return out, nil
}

// check runs the rules over what was read.
func check(r *parse.Result, o lint.Options) diag.List {
	if o.Rules == nil {
		o.Rules = rules.All
	}
	return lint.Run(lint.NewInput(r), o)
}
