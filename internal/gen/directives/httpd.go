package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"clowder/parse/known"
)

// readHTTPD reads the manual of 2.4 and, if old is not empty, of 2.2.
func readHTTPD(dir, old string) ([]known.DirectiveInfo, string, error) {
	now, err := readManual(dir)
	if err != nil {
		return nil, "", err
	}
	sources := "httpd " + httpdVersion(dir)
	all := map[string]known.DirectiveInfo{}
	for k, d := range now {
		d.Versions = known.V24
		all[k] = d
	}
	if old != "" {
		before, err := readManual(old)
		if err != nil {
			return nil, "", err
		}
		sources += ", httpd " + httpdVersion(old)
		kinds := argKinds(dir)
		for k, o := range before {
			o.Versions = known.V22
			d, ok := all[k]
			if !ok {
				if kind, read := kinds[k]; read {
					o.Versions |= known.V24
					o.Args = kind
					o.Compat = strings.TrimSpace(o.Compat + " Read by 2.4 but no longer in its manual")
				}
				all[k] = o
				continue
			}
			d.Versions |= known.V22
			if d.Help == "DEPRECATED" {
				d.Help, d.Compat = o.Help, strings.TrimSpace(d.Compat+" Deprecated in 2.4")
			}
			if d.Contexts != o.Contexts || d.Syntax != o.Syntax || d.Default != o.Default || d.Module != o.Module || d.Args != o.Args {
				d.In22 = &o
			}
			all[k] = d
		}
	}
	var list []known.DirectiveInfo
	for _, d := range all {
		list = append(list, d)
	}
	sort.Slice(list, func(i, j int) bool { return strings.ToLower(list[i].Name) < strings.ToLower(list[j].Name) })
	return list, sources, nil
}

var releaseNumber = regexp.MustCompile(`define AP_SERVER_(?:MAJORVERSION|MINORVERSION|PATCHLEVEL)_NUMBER\s+(\d+)`)

func httpdVersion(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "include", "ap_release.h"))
	if err != nil {
		return filepath.Base(dir)
	}
	var parts []string
	for _, m := range releaseNumber.FindAllSubmatch(b, 3) {
		parts = append(parts, string(m[1]))
	}
	return strings.Join(parts, ".")
}

// readManual reads docs/manual/mod of one tree, by lower-case name.
func readManual(dir string) (map[string]known.DirectiveInfo, error) {
	pages, err := filepath.Glob(filepath.Join(dir, "docs", "manual", "mod", "*.xml"))
	if err != nil || len(pages) == 0 {
		return nil, fmt.Errorf("%s has no docs/manual/mod/*.xml", dir)
	}
	sort.Strings(pages)
	kinds := argKinds(dir)
	all := map[string]known.DirectiveInfo{}
	for _, p := range pages {
		root, err := readXML(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, m := range root.find("modulesynopsis") {
			for _, n := range m.find("directivesynopsis") {
				if n.attrs["location"] != "" {
					continue
				}
				d := directive(m, n)
				k := strings.ToLower(d.Name)
				d.Args = kinds[k]
				if o, ok := all[k]; ok {
					o.Module += ", " + d.Module
					d = o
				}
				all[k] = d
			}
		}
	}
	return all, nil
}

var contexts = map[string]known.Context{
	"server config": known.Server, "virtual host": known.VirtualHost,
	"directory": known.Section, ".htaccess": known.Htaccess, "proxy section": known.ProxyOnly,
}

func directive(m, n *node) known.DirectiveInfo {
	d := known.DirectiveInfo{
		Name:       n.child("name").plain(false),
		Module:     m.child("name").plain(false),
		Identifier: m.child("identifier").plain(false),
		Source:     m.child("sourcefile").plain(false),
		Status:     m.child("status").plain(false),
		Override:   n.child("override").plain(false),
		Default:    n.child("default").plain(false),
		Compat:     n.child("compatibility").plain(false),
		Help:       brief(n.child("description").plain(false)),
		IsSection:  n.attrs["type"] == "section",
	}
	if s := n.child("status").plain(false); s != "" {
		d.Status = s
	}
	var forms []string
	for _, s := range n.kids {
		if s.name == "syntax" {
			forms = append(forms, s.plain(false))
		}
	}
	d.Syntax = strings.Join(forms, " or ")
	var mods []string
	for _, s := range n.child("modulelist").find("module") {
		mods = append(mods, s.plain(false))
	}
	if len(mods) > 0 {
		d.Module = strings.Join(mods, ", ")
	}
	for _, c := range n.child("contextlist").find("context") {
		d.Contexts |= contexts[strings.ToLower(c.plain(false))]
	}
	return d
}

var (
	initMacro = regexp.MustCompile(`AP_INIT_([A-Z0-9_]+)\s*\(\s*"<?([A-Za-z0-9_]+)`)
	sslMacro  = regexp.MustCompile(`SSL_CMD_(?:ALL|SRV|PXY|DIR)\(\s*(\w+)\s*,\s*(?:(?:OPTIONS|AUTHCFG|FILEINFO|INDEXES|LIMIT)\s*,\s*)?(\w+)`)
)

// argKinds reads the argument kinds from the command tables of the C sources.
func argKinds(dir string) map[string]string {
	kinds := map[string]string{}
	for _, sub := range []string{"include", "modules", "server", "os"} {
		_ = filepath.WalkDir(filepath.Join(dir, sub), func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || (filepath.Ext(p) != ".c" && filepath.Ext(p) != ".h") {
				return nil // a tree without sources has no kinds
			}
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			for _, m := range initMacro.FindAllSubmatch(b, -1) {
				kinds[strings.ToLower(string(m[2]))] = string(m[1])
			}
			if strings.Contains(p, "ssl") {
				for _, m := range sslMacro.FindAllSubmatch(b, -1) {
					kinds["ssl"+strings.ToLower(string(m[1]))] = string(m[2])
				}
			}
			return nil
		})
	}
	return kinds
}
