package fix

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Write replaces the files. Each is written beside the old one first and then
// renamed, with its mode and owner; a symbolic link stays one. When one file
// cannot be replaced, those before it get their old contents back.
func Write(changes []Change) error {
	type pending struct {
		c         Change
		path, tmp string
	}
	var todo []pending
	discard := func() {
		for _, p := range todo {
			os.Remove(p.tmp)
		}
	}
	for _, c := range changes {
		path, tmp, err := prepare(c)
		if err != nil {
			discard()
			return err
		}
		todo = append(todo, pending{c, path, tmp})
	}
	for i, p := range todo {
		if err := os.Rename(p.tmp, p.path); err != nil {
			for _, done := range todo[:i] {
				done.c.File, done.c.After = nil, done.c.File.Data
				if back, tmp, err := prepareAt(done.path, done.c.After); err == nil {
					os.Rename(tmp, back)
				}
			}
			discard()
			return err
		}
	}
	return nil
}

// prepare checks that the file is still as it was read and writes the new
// contents beside it.
func prepare(c Change) (path, tmp string, err error) {
	path, err = filepath.EvalSymlinks(c.File.Name)
	if err != nil {
		return "", "", err
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	if !bytes.Equal(now, c.File.Data) {
		return "", "", fmt.Errorf("%s: the file changed meanwhile, or is in an encoding that fixes cannot be written in; nothing was changed", c.File.Name)
	}
	return prepareAt(path, c.After)
}

func prepareAt(path string, data []byte) (string, string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clowder-*")
	if err != nil {
		return "", "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = keepOwner(f, st)
	}
	if err == nil {
		err = f.Chmod(st.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", "", err
	}
	return path, f.Name(), nil
}

// secrets finds the values that no output shows.
var secrets = regexp.MustCompile(`(?i)((?:required)?secret|encryptionKey|password|pass|nonce|credentials|[a-z]+(?:pass|password))(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)`)

// Diff returns the changes as a patch in unified form. Secrets in the lines that
// it shows are masked.
func Diff(changes []Change) []byte {
	var out []byte
	for _, c := range changes {
		name := strings.TrimLeft(filepath.ToSlash(c.File.Name), "/")
		out = append(out, diff.Diff("a/"+name, mask(c.File.Data), "b/"+name, mask(c.After))...)
	}
	return out
}

func mask(data []byte) []byte { return secrets.ReplaceAll(data, []byte("$1$2***")) }
