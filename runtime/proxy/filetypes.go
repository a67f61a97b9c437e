package proxy

import (
	"bufio"
	"os"
	"path"
	"strings"

	"clowder/parse/model"
)

// fileSettings are what a server or section says of files by directives that the
// model keeps as they stand: DirectoryIndex and DirectorySlash (mod_dir), AddType
// and ForceType (mod_mime).
type fileSettings struct {
	index    []string
	noSlash  *bool
	types    map[string]string
	forced   string
	isForced bool
}

func newFileSettings(extras []*model.Directive) fileSettings {
	var f fileSettings
	for _, d := range extras {
		switch strings.ToLower(d.Name.V) {
		case "directoryindex":
			for _, a := range d.Args {
				f.index = append(f.index, a.V)
			}
		case "directoryslash":
			off := strings.EqualFold(d.Arg(0), "off")
			f.noSlash = &off
		case "addtype":
			for _, a := range d.Args[min(1, len(d.Args)):] {
				if f.types == nil {
					f.types = map[string]string{}
				}
				f.types[strings.ToLower(strings.TrimPrefix(a.V, "."))] = d.Arg(0)
			}
		case "forcetype":
			f.forced, f.isForced = d.Arg(0), true
			if strings.EqualFold(f.forced, "none") {
				f.forced = ""
			}
		}
	}
	return f
}

func (f *fileSettings) over(c *conf) {
	if f.index != nil {
		c.dirIndex = f.index
	}
	if f.noSlash != nil {
		c.noSlash = *f.noSlash
	}
	if f.isForced {
		c.force = f.forced
	}
	if f.types != nil {
		all := make(map[string]string, len(c.types)+len(f.types))
		for k, v := range c.types {
			all[k] = v
		}
		for k, v := range f.types {
			all[k] = v
		}
		c.types = all
	}
}

// usualTypes are the types of common files where no TypesConfig is named.
var usualTypes = map[string]string{
	"html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript", "json": "application/json",
	"txt": "text/plain", "xml": "application/xml", "csv": "text/csv", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
	"jpeg": "image/jpeg", "gif": "image/gif", "ico": "image/vnd.microsoft.icon", "webp": "image/webp", "pdf": "application/pdf",
	"zip": "application/zip", "gz": "application/x-gzip", "woff": "font/woff", "woff2": "font/woff2", "wasm": "application/wasm", "mp4": "video/mp4",
}

// contentType is the type of a file by its name's extensions, "" for none.
func (c *call) contentType(name string) string {
	switch {
	case c.forcedType != "":
		return c.forcedType
	case c.conf.force != "":
		return c.conf.force
	}
	parts := strings.Split(path.Base(name), ".")
	for i := len(parts) - 1; i > 0; i-- {
		ext := strings.ToLower(parts[i])
		if t, ok := c.conf.types[ext]; ok {
			return t
		}
		if t, ok := c.srv.types[ext]; ok {
			return t
		}
	}
	return ""
}

// mimeTypes reads the file that TypesConfig names among the directives; without
// the directive they are the usual ones.
func mimeTypes(extras []*model.Directive, root string) map[string]string {
	types := usualTypes
	for _, d := range extras {
		if !strings.EqualFold(d.Name.V, "TypesConfig") {
			continue
		}
		types = map[string]string{}
		f, err := os.Open(below(root, d.Arg(0)))
		if err != nil {
			continue
		}
		for in := bufio.NewScanner(f); in.Scan(); {
			w := strings.Fields(in.Text())
			if len(w) == 0 || w[0][0] == '#' {
				continue
			}
			for _, ext := range w[1:] {
				types[strings.ToLower(ext)] = w[0]
			}
		}
		f.Close()
	}
	return types
}
