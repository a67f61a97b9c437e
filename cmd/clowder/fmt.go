package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clowder/lint/fix"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/native"
)

type fmtCmd struct {
	Paths   []string `arg:"" optional:"" name:"path" help:"Files or directories; - reads standard input (default: this directory)."`
	Check   bool     `xor:"mode" help:"Write nothing, list the files that would change; exit code 1 when there are any."`
	Diff    bool     `xor:"mode" help:"Write nothing, print what would change as a patch; exit code 1 when anything would."`
	Indent  string   `default:"4" placeholder:"N|tab" help:"Blanks for each level of httpd's sections, or tab (default: 4, as httpd's own files have)."`
	Stdin   string   `name:"stdin-filename" placeholder:"NAME" default:"httpd.conf" help:"Name of what is read from standard input; clowder.toml for TOML."`
	Define  []string `short:"D" name:"define" placeholder:"NAME" sep:"none" help:"Set a name as httpd -D does, to find what a directory's httpd.conf includes. Repeatable."`
	RootDir string   `name:"root" placeholder:"DIR" help:"Put before absolute paths in Include and ServerRoot, to find included files."`
}

// Help is shown under the flags.
func (*fmtCmd) Help() string {
	return "Indents files of httpd by the nesting of their sections and puts a clowder.toml at the left margin; blanks at the ends of lines go. " +
		"Nothing else moves: comments, blank lines, line ends, continued lines, values and macros stay, and the servers read what they read before. " +
		"Files are rewritten in place, each as a whole; - filters standard input to standard output.\n\n" +
		"Of a directory, the files of its setup are formatted as far as they lie below it: httpd's root file, what it includes, and clowder.toml. " +
		"Name other files to have them formatted. XML files are not touched. " +
		"A file with syntax errors is left alone, with a finding and exit code 1."
}

// Run formats; see [fmtCmd.Help].
func (c *fmtCmd) Run(a *app) error {
	indent, err := c.indent()
	if err != nil {
		return err
	}
	f := formatting{app: a, cmd: c, indent: indent, seen: map[string]bool{}}
	paths := c.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, p := range paths {
		if err := f.path(p); err != nil {
			return err
		}
	}
	return f.finish()
}

// maxBlanks bounds --indent.
const maxBlanks = 16

func (c *fmtCmd) indent() (string, error) {
	if c.Indent == "tab" {
		return "\t", nil
	}
	n, err := strconv.Atoi(c.Indent)
	if err != nil || n < 0 || n > maxBlanks {
		return "", usage("--indent %s: want a number from 0 to %d, or tab", c.Indent, maxBlanks)
	}
	return strings.Repeat(" ", n), nil
}

// formatting is one run of fmt.
type formatting struct {
	app     *app
	cmd     *fmtCmd
	indent  string
	seen    map[string]bool // files, by their real names
	changes []fix.Change
	broken  bool
}

func (f *formatting) path(p string) error {
	if p == "-" {
		return f.stdin()
	}
	st, err := os.Stat(p)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return f.named(p)
	}
	return f.dir(p)
}

// named formats a file that the user named.
func (f *formatting) named(p string) error {
	st, err := os.Stat(p)
	if err != nil {
		return err
	}
	if st.Size() > maxStdin || !st.Mode().IsRegular() {
		return fmt.Errorf("%s: no regular file of at most %d MiB", p, maxStdin>>20)
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	kind := parse.KindOf(p, data)
	if kind != parse.HTTPDConf && kind != parse.ClowderTOML {
		fmt.Fprintf(f.app.stderr, "%s: left alone, only files of httpd and clowder.toml are formatted\n", p)
		return nil
	}
	f.file(diag.NewFile(p, data), kind == parse.ClowderTOML)
	return nil
}

// dir formats the files of the setup in a directory.
func (f *formatting) dir(dir string) error {
	in := inputFlags{Paths: []string{dir}, Define: f.cmd.Define, RootDir: f.cmd.RootDir}
	r, err := in.load(f.app.ctx)
	var bad codeError
	if errors.As(err, &bad) && bad.code == exitUsage { // a bad clowder.toml hides the rest
		return f.named(filepath.Join(dir, "clowder.toml"))
	}
	if err != nil {
		return err
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	conf := map[*diag.File]bool{}
	for _, cfg := range r.HTTPD {
		if cfg != nil {
			for _, x := range cfg.Files {
				conf[x] = true
			}
		}
	}
	for _, x := range r.Setup.Files {
		toml := r.Kinds[x] == parse.ClowderTOML
		if !conf[x] && !toml {
			continue
		}
		if real, err := filepath.EvalSymlinks(x.Name); err == nil && below(root, real) {
			f.file(x, toml)
		}
	}
	return nil
}

// below reports whether the file lies in the directory or deeper.
func below(dir, file string) bool {
	d, err1 := filepath.Abs(dir)
	p, err2 := filepath.Abs(file)
	rel, err := filepath.Rel(d, p)
	return err1 == nil && err2 == nil && err == nil && filepath.IsLocal(rel)
}

// file formats one file, unless it was seen under another name.
func (f *formatting) file(x *diag.File, toml bool) {
	if real, err := filepath.EvalSymlinks(x.Name); err == nil {
		if abs, err := filepath.Abs(real); err == nil {
			real = abs
		}
		if f.seen[real] {
			return
		}
		f.seen[real] = true
	}
	if out, ok := f.format(x, toml); ok && !bytes.Equal(out, x.Data) {
		f.changes = append(f.changes, fix.Change{File: x, After: out})
	}
}

// format returns the formatted text; findings go to standard error.
func (f *formatting) format(x *diag.File, toml bool) ([]byte, bool) {
	var out []byte
	var diags diag.List
	if toml {
		out, diags = native.Format(x)
	} else {
		out, diags = httpd.Format(x, f.indent)
	}
	for _, d := range diags {
		f.broken = true
		fmt.Fprintf(f.app.stderr, "%s: %s %s: %s; the file is left alone\n", d.Span, d.Severity, d.ID, d.Message)
	}
	return out, len(diags) == 0
}

// stdin filters standard input to standard output.
func (f *formatting) stdin() error {
	data, err := io.ReadAll(io.LimitReader(f.app.stdin, maxStdin+1))
	if err != nil || len(data) > maxStdin {
		return fmt.Errorf("standard input: more than %d MiB, or unreadable: %v", maxStdin>>20, err)
	}
	kind := parse.KindOf(f.cmd.Stdin, data)
	if kind != parse.HTTPDConf && kind != parse.ClowderTOML {
		return usage("--stdin-filename %s: only files of httpd and clowder.toml are formatted", f.cmd.Stdin)
	}
	x := diag.NewFile(f.cmd.Stdin, data)
	out, ok := f.format(x, kind == parse.ClowderTOML)
	switch {
	case !ok:
		return nil
	case !f.cmd.Check && !f.cmd.Diff:
		_, err := f.app.stdout.Write(out)
		return err
	case !bytes.Equal(out, data):
		f.changes = append(f.changes, fix.Change{File: x, After: out})
	}
	return nil
}

// finish writes the files, or says which would change.
func (f *formatting) finish() error {
	asks := f.cmd.Check || f.cmd.Diff
	switch {
	case f.cmd.Diff:
		if _, err := f.app.stdout.Write(fix.Diff(f.changes)); err != nil {
			return err
		}
	case f.cmd.Check:
		for _, c := range f.changes {
			fmt.Fprintln(f.app.stdout, c.File.Name)
		}
	default:
		if err := fix.Write(f.changes); err != nil {
			return err
		}
		for _, c := range f.changes {
			fmt.Fprintf(f.app.stderr, "formatted %s\n", c.File.Name)
		}
	}
	if f.broken || asks && len(f.changes) > 0 {
		return exit(exitFindings)
	}
	return nil
}
