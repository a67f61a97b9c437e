package rules

import (
	"regexp"
	"strings"
	"testing"

	"clowder/lint"
)

func TestEveryRuleIsDocumented(t *testing.T) {
	id, name := regexp.MustCompile(`^[HTXC]\d{3}$`), regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range All {
		t.Run(r.ID, func(t *testing.T) {
			if !id.MatchString(r.ID) || !name.MatchString(r.Name) || seen[r.ID] || seen[r.Name] {
				t.Errorf("bad or repeated identity %q %q", r.ID, r.Name)
			}
			seen[r.ID], seen[r.Name] = true, true
			d := r.Doc
			for what, text := range map[string]string{"What": d.What, "Why": d.Why, "Fix": d.Fix, "Bad": d.Bad, "Good": d.Good, "Source": d.Source, "Versions": r.Versions.Text, "Category": string(r.Category)} {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s is empty", what)
				}
			}
			if r.Severity == 0 || r.Confidence == 0 {
				t.Error("no severity or confidence")
			}
		})
	}
	for i := 1; i < len(All)-len(lint.Meta()); i++ {
		if All[i-1].ID >= All[i].ID {
			t.Errorf("%s stands before %s", All[i-1].ID, All[i].ID)
		}
	}
}

func TestExplain(t *testing.T) {
	text, ok := Explain("receiver-port-shared", lint.Text)
	if !ok || !strings.HasPrefix(text, "X201 receiver-port-shared\n") || !strings.Contains(text, "\nWhy:\n  ") {
		t.Errorf("text form: %v\n%s", ok, text)
	}
	md, ok := Explain("x201", lint.Markdown)
	if !ok || !strings.HasPrefix(md, "# X201 receiver-port-shared\n") || !strings.Contains(md, "```xml\n") {
		t.Errorf("markdown form: %v\n%s", ok, md)
	}
	if near, ok := Explain("reciever-port-shared", lint.Text); ok || near != "receiver-port-shared" {
		t.Errorf("suggestion: %q %v", near, ok)
	}
}

func TestDirectiveTable(t *testing.T) {
	for name, module := range map[string]string{"requestheader": "headers", "proxypass": "proxy", "rewriterule": "rewrite", "ifmodule": ""} {
		got := strings.Join(modulesOf()[name], ",")
		if got != module {
			t.Errorf("%s: %q, want %q", name, got, module)
		}
	}
}
