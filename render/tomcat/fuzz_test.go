package tomcat

import (
	"os"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/target"
)

// FuzzWrite takes any text through a file: what a parser reads is what was written,
// or the place was left out with a note; a guard that cannot be written refuses all.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"plain", "a\"b<c>&'\n\t\r--]]>", "\x01", "\xff", "\ufffe", " lead", "ü€😀", "${x}"} {
		f.Add("allow", s)
		f.Add("className", s)
		f.Add(s, "v")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		at := diag.At(diag.NewFile("clowder.toml", []byte("x")), 0, 1)
		valve := &model.Component{At: at, Element: model.Is("Valve", at), Class: model.Is("com.example.V", at),
			Attrs: []*model.Attr{{At: at, Name: name, Value: model.Is(value, at)}}}
		host := &model.Host{At: at, Name: model.Is("localhost", at), Valves: []*model.Component{valve}, Aliases: []model.String{model.Is("www", at)}}
		s := &model.Setup{Nodes: []*model.Node{{At: at, Name: model.Is("n", at), Version: model.Is("10.1", at), Services: []*model.Service{{At: at,
			Name: model.Is(value, at), Engine: &model.Engine{At: at, Hosts: []*model.Host{host}}}}}}}
		res, err := Target.Render(s, target.Options{Tomcat: "10.1", Provenance: true})
		if err != nil {
			t.Fatal(err)
		}
		got := reread(t, res.Files[0].Data, "10.1")
		services := got.Nodes[0].Services
		if len(services) == 0 {
			if writable(value) {
				t.Fatalf("%q was left out:\n%s", value, res.Files[0].Data)
			}
			return
		}
		if services[0].Name.V != value {
			t.Fatalf("%q became %q:\n%s", value, services[0].Name.V, res.Files[0].Data)
		}
		v := services[0].Engine.Hosts[0].Valves[0]
		if v.Class.V == "com.example.V" {
			if name != "className" && (len(v.Attrs) != 1 || v.Attrs[0].Name != name || v.Attrs[0].Value.V != value) {
				t.Fatalf("%q=%q became %+v:\n%s", name, value, v.Attrs, res.Files[0].Data)
			}
		} else if v.Attribute("deny") == nil || !security(res.Notes) {
			t.Fatalf("the guard is gone: %s", res.Files[0].Data)
		}
	})
}

// FuzzConvert converts any server.xml that parses, between any two versions: the
// result parses, and the target version knows all that stands in it.
func FuzzConvert(f *testing.F) {
	versions := []string{"", "6.0.18", "7.0.23", "8.0", "8.5", "9.0.30", "9.0", "10.0", "10.1", "11.0"}
	seed, err := os.ReadFile("../../testdata/seed/broken/s1/server.xml")
	if err != nil {
		f.Fatal(err)
	}
	for i := range len(versions) - 2 {
		f.Add(seed, byte(i), byte(i+2))
		f.Add(seed, byte(i+2), byte(2))
	}
	f.Add([]byte(`<Server a="1"><Service><Connector protocol="AJP/1.3" requiredSecret="x"/><Connector SSLEnabled="true" keystoreFile="k" SSLCertificateFile="c"><SSLHostConfig certificateFile="x"><Certificate/></SSLHostConfig></Connector><Engine><Realm className="org.apache.catalina.realm.MemoryRealm" digest="MD5"><CredentialHandler className="x"/></Realm><Host><Context aliases="/a=b,c" allowLinking="${x}"><Manager sessionIdLength="3"/><Resources><PreResources/></Resources></Context></Host></Engine></Service></Server>`), byte(2), byte(8))
	f.Fuzz(func(t *testing.T, xml []byte, from, to byte) {
		source, dest := versions[int(from)%len(versions)], versions[2+int(to)%(len(versions)-2)]
		load := func(xml []byte, version string) *parse.Result {
			r, err := parse.Load(parse.Options{Paths: []string{"n/server.xml"}, Overlay: map[string][]byte{"n/server.xml": xml}, Tomcat: map[string]string{"": version}})
			if err != nil || len(r.Setup.Nodes) != 1 || len(r.Broken) > 0 || r.Docs[0].Template {
				return nil
			}
			return r
		}
		r := load(xml, source)
		if r == nil {
			return
		}
		res, err := Target.Render(r.Setup, target.Options{Tomcat: dest})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range res.Notes {
			if strings.HasPrefix(n.Message, "there is nothing like it") {
				t.Errorf("from %q to %s nobody accounted for %s", source, dest, n.Fact)
			}
		}
		got := load(res.Files[0].Data, dest)
		if got == nil {
			t.Fatalf("from %q to %s the result cannot be read:\n%s", source, dest, res.Files[0].Data)
		}
		if source == dest {
			if d := model.Compare(r.Setup, got.Setup); len(d) > 0 {
				t.Fatalf("%v\n%s", d, res.Files[0].Data)
			}
			return
		}
		for _, d := range lint.Run(lint.NewInput(got), lint.Options{Rules: rules.All, NoInline: true}) {
			switch d.ID {
			case "T002", "T003", "T004", "T007":
				if d.Severity >= diag.Warning {
					t.Errorf("from %q to %s: %s %s\n%s", source, dest, d.ID, d.Message, res.Files[0].Data)
				}
			}
		}
	})
}
