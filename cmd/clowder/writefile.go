package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"clowder/render/target"
)

// writeFiles writes files below a directory: all of them, or none when one cannot
// be written or exists already. Links that lead out of the directory are not followed.
func writeFiles(log io.Writer, dir string, files []target.File, overwrite bool) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if _, err := root.Lstat(f.Name); err == nil && !overwrite {
			return fmt.Errorf("%s exists, nothing was written; --overwrite replaces it", filepath.Join(dir, f.Name))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	temps := make([]string, 0, len(files))
	defer func() {
		for _, t := range temps {
			root.Remove(t)
		}
	}()
	for _, f := range files {
		mode := fs.FileMode(0o644)
		if f.Private {
			mode = 0o600
		}
		t, err := writeTemp(root, f.Name, f.Data, mode)
		if err != nil {
			return err
		}
		temps = append(temps, t)
	}
	for i, f := range files {
		if err := place(root, temps[i], f.Name, overwrite); err != nil {
			if !overwrite {
				for _, done := range files[:i] {
					root.Remove(done.Name)
				}
			}
			return err
		}
	}
	for _, f := range files {
		fmt.Fprintf(log, "wrote %s\n", filepath.Join(dir, filepath.FromSlash(f.Name)))
	}
	return nil
}

// writeFile writes one file as a whole or not at all.
func writeFile(name string, data []byte, mode fs.FileMode, overwrite bool) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer root.Close()
	base := filepath.Base(name)
	t, err := writeTemp(root, base, data, mode)
	if err != nil {
		return err
	}
	defer root.Remove(t)
	return place(root, t, base, overwrite)
}

// notOverwritten says how to replace a file that exists.
func notOverwritten(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, nothing was written; --overwrite replaces it", name)
	}
	return err
}

// place gives the temporary file its name; without overwrite an existing file
// stays, even one that was made in the meantime.
func place(root *os.Root, temp, name string, overwrite bool) error {
	if overwrite {
		return root.Rename(temp, name)
	}
	return root.Link(temp, name)
}

// writeTemp writes a file beside the one of that name and returns its own name.
func writeTemp(root *os.Root, name string, data []byte, mode fs.FileMode) (string, error) {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for i := 0; ; i++ {
		temp := path.Join(dir, fmt.Sprintf(".clowder-%d-%d", os.Getpid(), i))
		f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(data)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			root.Remove(temp)
			return "", err
		}
		return temp, nil
	}
}
