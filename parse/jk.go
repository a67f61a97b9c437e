package parse

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/jk"
	"clowder/parse/model"
)

// jk adds what mod_jk's directives say to a front end that httpd.Lower made, and
// takes the directives that are in the model now off the list of the others.
func (l *loader) jk(front *model.FrontEnd, cfg *httpd.Config) {
	res := jk.Lower(front, cfg, jk.Options{Root: l.o.Root, Env: os.LookupEnv, Open: func(name string) ([]byte, error) {
		if data, ok := l.o.Overlay[name]; ok {
			return data, nil
		}
		return openRegular(name)
	}})
	s := l.r.Setup
	ends := map[diag.Span]bool{} // the list may hold spans without their indent
	for at := range res.Mapped {
		ends[diag.Span{File: at.File, End: at.End}] = true
	}
	s.Unmapped = slices.DeleteFunc(s.Unmapped, func(u model.Unmapped) bool {
		return len(u.What) > 2 && strings.EqualFold(u.What[:2], "Jk") && ends[diag.Span{File: u.Span.File, End: u.Span.End}]
	})
	dropMapped(front, res.Mapped)
	s.Unmapped = append(s.Unmapped, res.Unmapped...)
	s.Files = append(s.Files, res.Files...)
	for _, f := range res.Files {
		l.r.Kinds[f] = PropertiesFile
	}
	l.add(res.Diags)
}

// dropMapped removes the Jk directives that are in the model now from those that
// are kept as they stand.
func dropMapped(front *model.FrontEnd, mapped map[diag.Span]bool) {
	if len(mapped) == 0 {
		return
	}
	drop := func(st *model.Settings) {
		st.Extras = slices.DeleteFunc(st.Extras, func(d *model.Directive) bool { return mapped[d.At] })
	}
	for _, srv := range append([]*model.Server{front.Main}, front.VHosts...) {
		drop(&srv.Settings)
		for _, sec := range srv.Sections {
			drop(&sec.Settings)
		}
	}
}

// openRegular reads a regular file of at most maxFileSize bytes.
func openRegular(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFileSize {
		return nil, fmt.Errorf("%s: not a regular file of at most %d MiB", name, maxFileSize>>20)
	}
	return os.ReadFile(name)
}
