package rules

import (
	"path"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/tomcat"
)

var httpOnlyOff = &lint.Rule{
	ID: "T604", Name: "httponly-off", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "The session cookie is allowed to scripts: useHttpOnly=\"false\" on a Context, or http-only false in a web.xml.",
		Why:  "A script that an attacker brings onto a page reads the cookie and takes over the session.",
		Fix:  "Remove the attribute; the default is true.",
		Bad: `-- context.xml --
<Context useHttpOnly="false">
</Context>`,
		Good: `-- context.xml --
<Context>
</Context>`,
		Notes:  "The cookie is HttpOnly when either place says true. So useHttpOnly=\"false\" is silent beside a web.xml of the application with http-only true, and http-only false alone works only in other containers or as soon as useHttpOnly is off.",
		Source: "Context reference, useHttpOnly; ApplicationSessionCookieConfig.createSessionCookie. Tried with Tomcat 10.1.60: http-only false alone still gives HttpOnly.",
	},
	Check: func(p *lint.Pass) {
		saysYes := map[string]bool{}
		for _, d := range p.Docs {
			if e := httpOnlyElement(d); e != nil && strings.EqualFold(strings.TrimSpace(e.Text), "true") {
				saysYes[appFolder(d.File.Name)] = true
			}
		}
		for _, d := range p.Docs {
			switch {
			case d.Template:
			case d.Kind() == tomcat.WebXML:
				reportHTTPOnlyElement(p, httpOnlyElement(d))
			case d.Kind() == tomcat.Context && saysYes[appFolder(d.File.Name)]:
			case d.Kind() == tomcat.Context, d.Kind() == tomcat.Server:
				d.Root.Walk(func(e *tomcat.Element) bool {
					if e.Name == "Context" {
						reportUseHTTPOnly(p, e)
					}
					return true
				})
			}
		}
	},
}

func reportUseHTTPOnly(p *lint.Pass, e *tomcat.Element) {
	a := e.Attr("useHttpOnly")
	if a == nil || strings.EqualFold(a.Value, "true") || unknown(a.Value) {
		return
	}
	f := lint.Finding{At: a.Span, Message: "useHttpOnly=\"" + a.Value + "\" lets scripts read the session cookie; remove it"}
	if edit, ok := removeAttribute(a.Span, a.Name); ok {
		f.Fixes = []diag.Fix{{Message: "remove the attribute", Safe: true, Edits: []diag.Edit{edit}}}
	}
	p.Report(f)
}

func reportHTTPOnlyElement(p *lint.Pass, e *tomcat.Element) {
	if e == nil {
		return
	}
	text := strings.TrimSpace(e.Text)
	if !strings.EqualFold(text, "false") {
		return
	}
	f := lint.Finding{
		At:      e.Tag,
		Message: "http-only is false: in Tomcat only the default of useHttpOnly keeps scripts from the session cookie; remove it or write true",
	}
	if at := diag.At(e.Tag.File, int(e.Tag.End), int(e.End.Start)); e.End.IsValid() && e.End.File == e.Tag.File && strings.TrimSpace(at.Text()) == text {
		f.Fixes = []diag.Fix{{Message: "write true", Safe: true, Edits: []diag.Edit{{Span: at, New: "true"}}}}
	}
	p.Report(f)
}

// httpOnlyElement returns session-config/cookie-config/http-only of a web.xml, or nil.
func httpOnlyElement(d *tomcat.Document) *tomcat.Element {
	return cookieConfig(d, "http-only")
}

// cookieConfig returns the first child of that name in the cookie-config of a
// web.xml, or nil.
func cookieConfig(d *tomcat.Document, name string) *tomcat.Element {
	if d.Kind() != tomcat.WebXML {
		return nil
	}
	for _, s := range d.Root.Children {
		if s.Local() != "session-config" {
			continue
		}
		for _, c := range s.Children {
			if c.Local() != "cookie-config" {
				continue
			}
			for _, k := range c.Children {
				if k.Local() == name {
					return k
				}
			}
		}
	}
	return nil
}

// appFolder is the folder of the application that a META-INF/context.xml or
// WEB-INF/web.xml belongs to, else the folder of the file.
func appFolder(name string) string {
	dir := path.Dir(filepath.ToSlash(name))
	if b := path.Base(dir); b == "WEB-INF" || b == "META-INF" {
		return path.Dir(dir)
	}
	return dir
}
