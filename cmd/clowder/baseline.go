package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"clowder/lint"
	"clowder/lint/baseline"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/native"
)

// baselineFlags say which findings are known already.
type baselineFlags struct {
	Baseline      string `placeholder:"FILE" help:"Report only findings that are not in this file."`
	WriteBaseline string `name:"write-baseline" placeholder:"FILE" help:"Write all findings into this file and report none."`
	PruneBaseline bool   `name:"prune-baseline" help:"Take out of the baseline what is not found any more."`
	NewFrom       string `name:"new-from" placeholder:"REV" help:"Report only findings that the files of this git revision do not have."`
}

// pathIgnores are the entries [[lint.ignore]] of clowder.toml.
func pathIgnores(n *native.Doc) []lint.PathIgnore {
	var out []lint.PathIgnore
	for _, ig := range n.Settings.Lint.Ignore {
		p := lint.PathIgnore{At: ig.At, Rule: ig.Rule.V, Path: ig.Path.V, Base: filepath.Dir(n.File.Name), Reason: ig.Reason.V}
		p.Until, _ = time.Parse(time.DateOnly, ig.Until.V)
		out = append(out, p)
	}
	return out
}

// apply leaves the findings that are new. remark is for standard error.
func (f *baselineFlags) apply(found diag.List, in *lint.Input, r *parse.Result) (fresh diag.List, remark string, err error) {
	file := f.Baseline
	if file == "" && r.Native != nil && r.Native.Settings.Lint.Baseline.V != "" {
		file = filepath.Join(filepath.Dir(r.Native.File.Name), r.Native.Settings.Lint.Baseline.V)
	}
	prints := lint.NewFingerprints(in)
	if f.WriteBaseline != "" {
		if err := baseline.Of(found, prints, filepath.Dir(f.WriteBaseline)).Write(f.WriteBaseline); err != nil {
			return nil, "", err
		}
		return nil, fmt.Sprintf("%s written to %s", count(len(found), "finding"), f.WriteBaseline), nil
	}
	if file == "" {
		if f.PruneBaseline {
			return nil, "", usage("--prune-baseline needs --baseline FILE")
		}
		return found, "", nil
	}
	b, err := baseline.Read(file)
	if err != nil {
		return nil, "", codeError{exitUsage, err}
	}
	fresh, known, gone := b.Split(found, prints, filepath.Dir(file))
	remark = fmt.Sprintf("%d baselined", len(known))
	fixed := 0
	for _, e := range gone {
		fixed += e.Count
	}
	switch {
	case f.PruneBaseline && fixed > 0:
		if err := baseline.Of(known, prints, filepath.Dir(file)).Write(file); err != nil {
			return nil, "", err
		}
		remark += fmt.Sprintf("; %d taken out of %s", fixed, file)
	case fixed > 0:
		remark += fmt.Sprintf("; fixed since the baseline: %d, run --prune-baseline", fixed)
	}
	return fresh, remark, nil
}

// maxArchive bounds what is taken out of a git revision.
const maxArchive = 512 << 20

// newFrom lints the files as they were in the revision and returns the findings
// that were not there.
func (c *lintCmd) newFrom(ctx context.Context, found diag.List, in *lint.Input, o lint.Options) (diag.List, error) {
	paths := c.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	top, err := git(paths[0], "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, usage("--new-from: %v", err)
	}
	root := strings.TrimSpace(string(top))
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	tmp, err := os.MkdirTemp("", "clowder-rev-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	archive, err := git(root, "archive", "--format=tar", c.NewFrom)
	if err != nil {
		return nil, usage("--new-from %s: %v", c.NewFrom, err)
	}
	if err := untar(archive, tmp); err != nil {
		return nil, err
	}
	before := *c
	before.Paths = nil
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		rel, err := filepath.Rel(root, abs)
		if err != nil || strings.HasPrefix(rel, "..") {
			return nil, usage("--new-from: %s is outside of the repository %s", p, root)
		}
		if old := filepath.Join(tmp, rel); exists(old) {
			before.Paths = append(before.Paths, old)
		}
	}
	if len(before.Paths) == 0 {
		return found, nil
	}
	r, err := before.load(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return found, nil // what was there could not be read: all is new
	}
	was := lint.NewInput(r)
	o.MinSeverity, o.MinConfidence = 0, diag.Possible
	b := baseline.Of(lint.Run(was, o), lint.NewFingerprints(was), tmp)
	fresh, _, _ := b.Split(found, lint.NewFingerprints(in), root)
	return fresh, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// git runs git in the folder of the path.
func git(path string, args ...string) ([]byte, error) {
	dir := path
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		dir = filepath.Dir(path)
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}

// untar writes the regular files of the archive below dir.
func untar(data []byte, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(io.LimitReader(bytes.NewReader(data), maxArchive))
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			var f *os.File
			if f, err = root.Create(name); err == nil {
				_, err = io.Copy(f, t)
				err = errors.Join(err, f.Close())
			}
		case tar.TypeSymlink:
			if err = root.Symlink(h.Linkname, name); err != nil {
				err = nil // one that leads out is left out
			}
		}
		if err != nil {
			return err
		}
	}
}
