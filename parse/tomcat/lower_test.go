package tomcat

import (
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

func lower(t *testing.T, xml string, o Options) (*model.Node, []model.Unmapped, diag.List) {
	t.Helper()
	d, diags := Parse(diag.NewFile("server.xml", []byte(xml)))
	if len(diags) > 0 {
		t.Fatalf("parse: %v", diags)
	}
	return LowerServer(d, o)
}

func TestLowerSeed(t *testing.T) {
	d, diags := load(t, "fixed", "s1", "server.xml")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	n, unmapped, diags := LowerServer(d, Options{Name: "s1", Version: "7.0.23"})
	if len(unmapped)+len(diags) > 0 {
		t.Errorf("unmapped %v, findings %v", unmapped, diags)
	}
	k := n.Cluster()
	ajp := n.Connectors()[1]
	written := []struct {
		what string
		v    model.Int
		want int
		line int
		col  int
	}{
		{"Server port", n.Port, 8001, 2, 9},
		{"Connector port", n.Connectors()[0].Port, 8101, 16, 20},
		{"redirectPort", ajp.RedirectPort, 8201, 18, 51},
		{"channelSendOptions", k.SendOptions, 6, 22, 78},
		{"Membership port", k.Channel.Membership.Port, 45564, 27, 45},
		{"Receiver port", k.Channel.Receiver.Port, 4001, 32, 40},
		{"autoBind", k.Channel.Receiver.AutoBind, 100, 32, 52},
	}
	for _, w := range written {
		p := w.v.Span.Begin()
		if w.v.V != w.want || !w.v.IsWritten() || p.Line != w.line || p.Column != w.col {
			t.Errorf("%s = %v at %d:%d, want %d at %d:%d", w.what, w.v.V, p.Line, p.Column, w.want, w.line, w.col)
		}
	}
	if got := k.Channel.Receiver.Port.Span.Text(); got != `port="4001"` {
		t.Errorf("span of Receiver port is %q", got)
	}
	if n.Engine().JVMRoute.V != "s1" || len(k.Valves) != 2 || len(k.Listeners) != 2 || len(n.Listeners) != 5 ||
		len(n.Resources) != 1 || len(n.Engine().Realms[0].Children) != 1 || len(n.Engine().Hosts[0].AccessLogs) != 1 ||
		len(k.Channel.Interceptors) != 2 || k.Channel.Sender.Transport == nil {
		t.Errorf("the tree is not complete: %+v", n)
	}
	if p := n.Engine().Hosts[0].AccessLogs[0].Pattern; p.V != `%h %l %u %t "%r" %s %b` {
		t.Errorf("pattern %q", p.V)
	}
}

func TestDefaults(t *testing.T) {
	const xml = `<Server><Service name="c"><Connector port="8009" protocol="AJP/1.3"/><Connector port="8080"/><Engine name="c"><Host name="h"><Context path=""/></Host><Cluster><Channel><Receiver/></Channel></Cluster></Engine></Service></Server>`
	for _, v := range []struct {
		version string
		strict  bool
	}{{"7.0.23", false}, {"7.0.100", true}, {"8.5.50", false}, {"8.5.51", true}, {"9.0.30", false}, {"9.0.31", true}, {"10.1.60", true}} {
		n, _, _ := lower(t, xml, Options{Version: v.version})
		c := n.Connectors()[0]
		if c.SecretRequired != model.Def(v.strict) || c.Address.IsSet() != v.strict {
			t.Errorf("%s: secretRequired %+v, address %+v", v.version, c.SecretRequired, c.Address)
		}
	}
	n, _, _ := lower(t, xml, Options{Version: "10.1"})
	k, http := n.Cluster(), n.Connectors()[1]
	for what, ok := range map[string]bool{
		"shutdown port":     n.Port == model.Def(8005),
		"connectionTimeout": http.ConnTimeout == model.Def(60000),
		"AJP timeout":       n.Connectors()[0].ConnTimeout == model.Def(-1),
		"maxThreads":        http.MaxThreads == model.Def(200),
		"sendOptions":       k.SendOptions == model.Def(8),
		"receiver":          k.Channel.Receiver.Port == model.Def(4000),
		"appBase":           n.Engine().Hosts[0].AppBase == model.Def("webapps"),
		"sessionTimeout":    n.Engine().Hosts[0].Contexts[0].SessionTimeout == model.Def(30),
		"manager stays nil": k.Manager == nil && k.Channel.Membership == nil,
	} {
		if !ok {
			t.Errorf("%s has another default", what)
		}
	}
	ch, m := k.EffectiveChannel(), k.EffectiveManager()
	if ch.Membership.Address.V != "228.0.0.4" || ch.Membership.Port.V != 45564 || ch.Sender.Transport.PoolSize.V != 25 ||
		len(ch.Interceptors) != 2 || model.SimpleClass(m.Class.V) != "DeltaManager" || m.StateTimeout != model.Def(60) {
		t.Errorf("effective channel %+v, manager %+v", ch, m)
	}
	if k.Channel.Membership != nil || k.Manager != nil {
		t.Error("the cluster was changed")
	}
	if n, _, _ := lower(t, xml, Options{}); n.Connectors()[0].SecretRequired.IsSet() {
		t.Error("a default without a version")
	}
}

// attributes joins attributes as name=value.
func attributes(list []*model.Attr) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Name+"="+a.Value.V)
	}
	return strings.Join(out, " ")
}

func TestLowerValues(t *testing.T) {
	const xml = `<Server port="8OO5" utilityThreads="2"><Service name="${svc}"><Connector port="${p:-81}${none}" address="${a}" relaxed="x"/>
<Engine name="e"><Cluster channelSendOptions="async, use_ack"><Channel><Interceptor className="x.StaticMembershipInterceptor"><Member host="a" port="1"/><LocalMember host="b"/></Interceptor></Channel></Cluster>
<Host name="h"><Alias> www </Alias><Context path="/x"><Manager className="m" maxActiveSessions=""/></Context></Host></Engine><Engine name="f"/></Service></Server>`
	n, unmapped, diags := lower(t, xml, Options{Version: "9.0.80", Property: func(k string) (string, bool) { return "v", k == "a" }})
	if n.Port != model.Def(8005) || n.Services[0].Name.V != "${svc}" || n.Connectors()[0].Address.V != "v" || attributes(n.Extra) != "utilityThreads=2" ||
		attributes(n.Connectors()[0].Extra) != "port=81${none} relaxed=x" || n.Connectors()[0].Port.IsSet() {
		t.Errorf("%+v", n)
	}
	ids := ""
	for _, d := range diags {
		ids += d.ID + " "
	}
	if ids != "T006 T008 T008 T006 " {
		t.Errorf("findings %s%v", ids, diags)
	}
	var lost []string
	for _, u := range unmapped {
		lost = append(lost, u.What)
	}
	if s := strings.Join(lost, ", "); s != "Server attribute port, Manager attribute maxActiveSessions, second Engine" {
		t.Errorf("unmapped %s", s)
	}
	k := n.Cluster()
	if i := k.Channel.Interceptors[0]; k.SendOptions.V != 10 || i.Members[0].Port.V != 1 || i.Local.Host.V != "b" {
		t.Errorf("cluster %+v", k)
	}
	if h := n.Engine().Hosts[0]; h.Aliases[0].V != "www" || h.Contexts[0].Manager.Class.V != "m" {
		t.Errorf("host %+v", h)
	}
}

func TestLowerApplication(t *testing.T) {
	ctx := &model.Context{SessionTimeout: model.Is(5, diag.Span{})}
	web, _ := Parse(diag.NewFile("web.xml", []byte(`<j:web-app xmlns:j="u"><j:distributable/><j:session-config><j:session-timeout>9</j:session-timeout><j:cookie-config><j:name>SID</j:name><j:secure>true</j:secure></j:cookie-config></j:session-config></j:web-app>`)))
	LowerWebXML(web, ctx, nil)
	xml, _ := Parse(diag.NewFile("context.xml", []byte(`<Context sessionCookieName="X" sessionCookiePath="/p"><Manager pathname="${x}"/><Valve className="v"/></Context>`)))
	if _, diags := LowerContext(xml, ctx, nil); len(diags) > 0 {
		t.Error(diags)
	}
	if !ctx.Distributable.V || ctx.SessionTimeout.V != 5 || ctx.CookieName.V != "SID" || !ctx.CookieSecure.V ||
		ctx.CookiePath.V != "/p" || ctx.Manager == nil || len(ctx.Valves) != 1 {
		t.Errorf("%+v", ctx)
	}
}

func TestProperties(t *testing.T) {
	f := diag.NewFile("catalina.properties", []byte("# c\n a.b = 1\\\n   2\nk\\:x:v\\u00e9\n! n\nlone\nbad=\\u12\n"))
	p, diags := Properties(f)
	for k, want := range map[string]string{"a.b": "12", "k:x": "vé", "lone": "", "bad": "12"} {
		if got, ok := p[k]; !ok || k != "bad" && got.Value != want {
			t.Errorf("%q = %q, want %q", k, got.Value, want)
		}
	}
	if p["a.b"].Span.String() != "catalina.properties:2:2" || len(diags) != 1 || diags[0].Span.Begin().Line != 7 {
		t.Errorf("span %v, findings %v", p["a.b"].Span, diags)
	}
}
