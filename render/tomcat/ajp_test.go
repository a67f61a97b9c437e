package tomcat

import (
	"fmt"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// exposure is how far an AJP connector can be reached.
type exposure struct {
	starts bool
	wide   bool   // beyond loopback
	secret string // that it asks for
}

// exposed works out what a connector does in a release: AbstractAjpProtocol.start
// and the defaults of its fields, before and after the change of 2020.
func exposed(c *model.Connector, strict bool) exposure {
	secret := c.Secret.V
	for _, a := range c.Extra {
		if a.Name == "requiredSecret" && secret == "" {
			secret = a.Value.V
		}
	}
	secret = strings.TrimSpace(secret)
	required := strict
	if c.SecretRequired.IsWritten() {
		required = c.SecretRequired.V
	}
	wide := !strict
	if c.Address.IsWritten() {
		wide = !model.IsLoopback(c.Address.V)
	}
	return exposure{starts: !strict || !required || secret != "", wide: wide, secret: secret}
}

// TestAJPIsNeverMoreOpen goes through all ways to write an AJP connector and all
// changes of versions: what starts has started before, is not reached from further
// away, and asks for the same secret. Where the versions agree on the defaults, or
// the output would be open, there is a note.
func TestAJPIsNeverMoreOpen(t *testing.T) {
	strict := map[string]bool{"7.0.23": false, "7.0": true, "8.0": false, "8.5.40": false, "8.5.51": true, "9.0.30": false, "9.0.31": true, "10.1": true, "11.0": true}
	words := [][]string{
		{"", `address="127.0.0.1"`, `address="10.0.0.5"`, `address="0.0.0.0"`},
		{"", `secret="hush"`, `requiredSecret="hush"`, `secret=""`},
		{"", `secretRequired="true"`, `secretRequired="false"`},
	}
	n := 0
	for from, was := range strict {
		for to, is := range strict {
			for i := range len(words[0]) * len(words[1]) * len(words[2]) {
				attrs := strings.Join([]string{words[0][i%4], words[1][i/4%4], words[2][i/16]}, " ")
				before := setup(t, attrs, from)
				res, err := Target.Render(before, target.Options{Tomcat: to})
				if err != nil {
					t.Fatal(err)
				}
				old := exposed(before.Nodes[0].Connectors()[0], was)
				var now exposure
				after := reread(t, res.Files[0].Data, to)
				if len(after.Nodes[0].Connectors()) > 0 {
					now = exposed(after.Nodes[0].Connectors()[0], is)
				}
				n++
				what := fmt.Sprintf("%s from %s to %s: %+v became %+v\n%s", attrs, from, to, old, now, res.Files[0].Data)
				if now.starts && (!old.starts || now.wide && !old.wide || old.secret != now.secret) {
					t.Errorf("more open: %s", what)
				}
				if old.starts && !now.starts && !noted(res.Notes, target.NeedsPerson) {
					t.Errorf("closed without a word: %s", what)
				}
				if now.starts && now.wide && now.secret == "" && is && !was && !security(res.Notes) {
					t.Errorf("open without a word: %s", what)
				}
			}
		}
	}
	if n != 81*48 {
		t.Errorf("%d cases", n)
	}
}

func setup(t *testing.T, attrs, version string) *model.Setup {
	t.Helper()
	return reread(t, fmt.Appendf(nil, `<Server><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" %s/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine></Service></Server>`, attrs), version)
}

func reread(t *testing.T, xml []byte, version string) *model.Setup {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{"n/server.xml"}, Overlay: map[string][]byte{"n/server.xml": xml}, Tomcat: map[string]string{"": version}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("%v\n%s", r.Diags, xml)
	}
	return r.Setup
}

func noted(notes []target.Note, loss target.Loss) bool {
	for _, n := range notes {
		if n.Loss == loss && n.ID == "secret" || n.Loss == loss && strings.Contains(n.Message, "does not start") {
			return true
		}
	}
	return false
}

func security(notes []target.Note) bool {
	for _, n := range notes {
		if n.Security && n.Loss != target.Exact {
			return true
		}
	}
	return false
}
