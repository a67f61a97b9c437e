// Package main reads every file of a corpus of real configurations and says where
// clowder's readers differ from the servers' own verdicts.
//
//	go run ./internal/corpus MANIFEST.tsv
//
// The manifest is a table with tabs and a head line. Columns in use: file (path
// below the manifest's folder), kind (httpd, server, context, web, users,
// catalina, jk, link), wellformed (yes or no, of an XML parser), xml_error (its
// message with "line N") and httpd_t (what
// httpd -t says: "ok", or a word and a message). The exit code is 1 when a file
// deviates, 2 when the corpus cannot be read.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/tomcat"
)

// fileLimit is how long one file may take.
const fileLimit = 10 * time.Second

// maxManifest bounds the entries of a manifest, and maxLine the bytes of a line.
const (
	maxManifest = 1_000_000
	maxLine     = 1 << 20
)

// entry is one line of a manifest.
type entry struct {
	file, kind, wellformed, xmlError, httpdT string
}

// deviation is one file that is read otherwise than it should be.
type deviation struct {
	file, cause string
}

// report is what came out of one corpus.
type report struct {
	counts     map[string]int // by class
	deviations []deviation
	slowest    entry
	took       time.Duration // of the slowest
}

// readManifest reads the table; columns are found by their names.
func readManifest(r io.Reader) ([]entry, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	var list []entry
	var column map[string]int
	for sc.Scan() {
		cells := strings.Split(sc.Text(), "\t")
		if column == nil {
			column = map[string]int{}
			for i, c := range cells {
				column[c] = i
			}
			for _, want := range []string{"file", "kind"} {
				if _, ok := column[want]; !ok {
					return nil, fmt.Errorf("the head line has no column %q", want)
				}
			}
			continue
		}
		if len(list) >= maxManifest {
			return nil, fmt.Errorf("more than %d entries", maxManifest)
		}
		cell := func(name string) string {
			if i, ok := column[name]; ok && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		list = append(list, entry{cell("file"), cell("kind"), cell("wellformed"), cell("xml_error"), cell("httpd_t")})
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("the manifest lists no file")
	}
	return list, nil
}

// check reads all files of a manifest.
func check(manifest string) (*report, error) {
	f, err := os.Open(manifest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := readManifest(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifest, err)
	}
	r := &report{counts: map[string]int{}}
	missing := 0
	for _, e := range list {
		if e.kind == "link" {
			r.counts["link (not read)"]++
			continue
		}
		path := filepath.Join(filepath.Dir(manifest), filepath.FromSlash(e.file))
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			r.counts[e.kind+" (not there)"]++
			missing++
			continue
		}
		if err != nil {
			return nil, err
		}
		start := time.Now()
		class, causes := limited(e, data, fileLimit)
		if d := time.Since(start); d > r.took {
			r.took, r.slowest = d, e
		}
		r.counts[class]++
		for _, c := range causes {
			r.deviations = append(r.deviations, deviation{e.file, c})
		}
	}
	if missing == len(list) {
		return nil, fmt.Errorf("%s: none of its %d files is there", manifest, missing)
	}
	return r, nil
}

// limited checks one file and gives up after the limit.
func limited(e entry, data []byte, limit time.Duration) (class string, causes []string) {
	type result struct {
		class  string
		causes []string
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{e.kind + " (crash)", []string{fmt.Sprint("crash: ", p)}}
			}
		}()
		class, causes := one(e, data)
		done <- result{class, causes}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.class, r.causes
	case <-timer.C:
		return e.kind + " (hang)", []string{fmt.Sprintf("not read within %s", limit)}
	}
}

// one checks one file by its kind.
func one(e entry, data []byte) (class string, causes []string) {
	f := diag.NewFile(e.file, data)
	switch e.kind {
	case "httpd":
		return checkHTTPD(e, f)
	case "server", "context", "web", "users", "xml":
		return checkXML(e, f)
	case "catalina":
		_, diags := tomcat.Properties(f)
		return e.kind, onlyErrors(diags, "")
	}
	return e.kind + " (only read)", nil
}

func checkHTTPD(e entry, f *diag.File) (string, []string) {
	verdict, _, _ := strings.Cut(e.httpdT, ":")
	class := "httpd " + verdict
	var causes []string
	tree, diags := httpd.Parse(f)
	if !bytes.Equal(tree.Bytes(), f.Data) {
		causes = append(causes, "printing it gives other bytes")
	}
	cfg, more := httpd.Load(f, httpd.Options{
		Open:    func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		ReadDir: func(string) ([]fs.DirEntry, error) { return nil, fs.ErrNotExist },
		Stat:    func(string) (os.FileInfo, error) { return nil, fs.ErrNotExist },
	})
	_, _, lowered := httpd.Lower(cfg)
	if verdict == "ok" {
		all := append(append(append(diag.List{}, more...), lowered...), httpd.Check(cfg)...)
		if len(all) == 0 {
			all = diags
		}
		causes = append(causes, onlyErrors(all, "H00")...)
	}
	return class, causes
}

func checkXML(e entry, f *diag.File) (string, []string) {
	doc, diags := tomcat.Parse(f)
	class := "xml " + e.kind
	var causes []string
	switch e.wellformed {
	case "yes":
		class += ", well-formed"
		if !doc.WellFormed {
			causes = append(causes, onlyErrors(diags, "")...)
		}
	case "no":
		class += ", broken"
		if doc.WellFormed {
			causes = append(causes, "no finding although it is not well-formed XML")
		}
		if line := lineOf(e.xmlError); line > 0 && !doc.WellFormed && doc.Stop.Begin().Line != line {
			causes = append(causes, fmt.Sprintf("stops at line %d, an XML parser at line %d", doc.Stop.Begin().Line, line))
		}
	}
	if !bytes.Equal(doc.Bytes(), f.Data) {
		causes = append(causes, "printing it gives other bytes")
	}
	switch doc.Kind() {
	case tomcat.Server:
		tomcat.LowerServer(doc, tomcat.Options{Name: "node"})
	default:
		loweredApp(doc)
	}
	return class, causes
}

// lineOf returns the number behind "line " in a message, 0 for none.
func lineOf(message string) int {
	_, rest, _ := strings.Cut(message, "line ")
	line := 0
	for _, c := range rest {
		if c < '0' || c > '9' || line > maxManifest {
			break
		}
		line = 10*line + int(c-'0')
	}
	return line
}

// onlyErrors gives the errors whose ID begins with the prefix, each message once.
func onlyErrors(list diag.List, prefix string) []string {
	var out []string
	seen := map[string]bool{}
	for _, d := range list {
		if d.Severity == diag.Error && strings.HasPrefix(d.ID, prefix) && !seen[d.ID+d.Message] {
			seen[d.ID+d.Message] = true
			out = append(out, fmt.Sprintf("line %d: %s %s", d.Span.Begin().Line, d.ID, d.Message))
		}
	}
	return out
}

// write prints the counts and the deviations.
func (r *report) write(w io.Writer) error {
	classes := make([]string, 0, len(r.counts))
	total := 0
	for c, n := range r.counts {
		classes = append(classes, c)
		total += n
	}
	sort.Strings(classes)
	var b strings.Builder
	for _, c := range classes {
		fmt.Fprintf(&b, "%6d  %s\n", r.counts[c], c)
	}
	fmt.Fprintf(&b, "%6d  files, slowest %s (%s)\n%6d  deviations\n", total, r.slowest.file, r.took.Round(time.Millisecond), len(r.deviations))
	for _, d := range r.deviations {
		fmt.Fprintf(&b, "%s: %s\n", d.file, d.cause)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
