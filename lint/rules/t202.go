package rules

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// inCluster puts what stands inside of a Channel into a whole server.xml, for examples.
func inCluster(attrs, channel string) string {
	return `<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"` + attrs + `>
  <Channel className="org.apache.catalina.tribes.group.GroupChannel">
` + channel + `
  </Channel>
</Cluster>
</Engine></Service></Server>`
}

const (
	exampleDetector = `    <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>`
	examplePing     = `    <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor"/>`
	exampleStatic   = `    <Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">
      <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.12" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
    </Interceptor>`
)

var defaultMcastGroup = &lint.Rule{
	ID: "T202", Name: "default-mcast-group", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "The cluster uses the default multicast group, 228.0.0.4 and port 45564.",
		Why:    "Every other Tomcat cluster on the network with the defaults joins it, and takes and sends sessions.",
		Fix:    "Give each cluster an address or a port of its own.",
		Bad:    inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45564"/>`),
		Good:   inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45701"/>`),
		Notes:  "An info: 48 of 59 public clusters read use the defaults. Silent with static members alone and with a DomainFilterInterceptor.",
		Source: "Membership reference; McastService.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			ch := c.EffectiveChannel()
			if filter, _ := c.interceptor("DomainFilterInterceptor"); !c.mcast() || filter != nil {
				continue
			}
			if strings.TrimSpace(ch.Membership.Address.V) == "228.0.0.4" && ch.Membership.Port.V == 45564 {
				p.Report(lint.Finding{At: c.At.Head(), Subject: c.Cluster,
					Message: "default multicast group 228.0.0.4:45564: any other default Tomcat cluster on the network joins this one; give it its own address and port"})
			}
		}
	},
}

var domainWithoutFilter = &lint.Rule{
	ID: "T203", Name: "domain-without-filter", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "The Membership has a domain, but no DomainFilterInterceptor looks at it.",
		Why:  "The domain is sent along and nothing else: nodes of all domains replicate to each other.",
		Fix:  "Add a DomainFilterInterceptor with the domain, or give each group its own multicast address or port.",
		Bad:  inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" domain="red"/>`),
		Good: inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" domain="red"/>
    <Interceptor className="org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor" domain="red"/>`),
		Notes:  "Likely only when the channel has an interceptor that is not Tomcat's own.",
		Source: "Interceptor reference, DomainFilterInterceptor. Tried with two nodes of Tomcat 10.1.60, domains red and blue: they replicate.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			m := c.membership()
			if filter, _ := c.interceptor("DomainFilterInterceptor"); m == nil || !m.Domain.IsWritten() || m.Domain.V == "" || filter != nil {
				continue
			}
			f := lint.Finding{At: m.Domain.Span, Subject: m,
				Message: fmt.Sprintf("domain=\"%s\" on Membership has no effect without a DomainFilterInterceptor", m.Domain.V)}
			if c.hasForeignInterceptor() {
				f.Lower = 1
			}
			p.Report(f)
		}
	},
}

var dropTimeTooShort = &lint.Rule{
	ID: "T204", Name: "droptime-too-short", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "The dropTime of a multicast Membership is not above its frequency, or less than twice of it.",
		Why:    "Each member is taken for dead between two of its heartbeats, and comes back with the next one.",
		Fix:    "Make dropTime several times the frequency; the defaults are 3000 and 500 ms.",
		Bad:    inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" frequency="3000" dropTime="3000"/>`),
		Good:   inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" frequency="500" dropTime="3000"/>`),
		Notes:  "Below twice the frequency a warning: one lost datagram is enough then. A value that is not written counts with its default.",
		Source: "Membership reference; McastServiceImpl.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			m := c.membership()
			if m == nil || !c.mcast() || !m.DropTime.IsWritten() && !m.Frequency.IsWritten() {
				continue
			}
			drop, freq := m.DropTime.Or(3000), m.Frequency.Or(500)
			f := lint.Finding{At: m.Frequency.Span, Subject: m,
				Message: fmt.Sprintf("dropTime %d ms is not above frequency %d ms: every member is dropped between two heartbeats", drop, freq)}
			if m.DropTime.IsWritten() {
				f.At = m.DropTime.Span
			}
			switch {
			case freq <= 0 || drop >= 2*freq:
				continue
			case drop > freq:
				f.Severity = diag.Warning
				f.Message = fmt.Sprintf("dropTime %d ms is less than twice the frequency of %d ms: one lost heartbeat drops a member", drop, freq)
			}
			p.Report(f)
		}
	},
}

var staticMemberUniqueID = &lint.Rule{
	ID: "T205", Name: "static-member-uniqueid", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "The uniqueId of a static member is not 16 bytes, or two members of one list have the same.",
		Why:  "Tomcat warns and drops the attribute; members without it cannot be told from what the node itself announces. Of two equal ones one is lost.",
		Fix:  "Write 16 numbers from -128 to 127 in braces, without blanks, and others for each member.",
		Bad:  inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleDetector+"\n"+strings.Replace(exampleStatic, "{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}", "{1,2,3}", 1)),
		Good: inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleDetector+"\n"+exampleStatic),
		Notes: "A LocalMember may have the same uniqueId as a Member: lists that are the same on all nodes name the node itself. " +
			"Silent for values with ${...}.",
		Source: "Interceptor reference, StaticMember; Arrays.fromString. Tried with Tomcat 10.1.60: \"UUID must be exactly 16 bytes\", and a NumberFormatException for a blank.",
	},
	Check: checkUniqueIDs,
}

func checkUniqueIDs(p *lint.Pass) {
	for _, c := range configs(p) {
		seen := map[*tomcat.Element]map[string]*tomcat.Attr{}
		c.elements(func(e *tomcat.Element, _ []*known.ClassInfo) {
			class, id := e.Attr("className"), e.Attr("uniqueId")
			if e.Name != "Member" && e.Name != "LocalMember" || id == nil || unknown(id.Value) ||
				class == nil || model.SimpleClass(class.Value) != "StaticMember" {
				return
			}
			f := lint.Finding{At: id.Span, Subject: id}
			bytes, what := uniqueID(id.Value)
			if what != "" {
				f.Message = fmt.Sprintf("uniqueId must be 16 bytes `{1,2,...}`, %s; Tomcat drops the attribute", what)
				p.Report(f)
				return
			}
			if e.Name == "LocalMember" {
				return
			}
			if seen[e.Parent] == nil {
				seen[e.Parent] = map[string]*tomcat.Attr{}
			}
			if first := seen[e.Parent][bytes]; first != nil {
				f.Message = fmt.Sprintf("uniqueId is also that of the member in line %d; each member needs its own", first.Span.Begin().Line)
				f.Related = []diag.Related{lint.Related(first.Span, "the other member")}
				p.Report(f)
				return
			}
			seen[e.Parent][bytes] = id
		})
	}
}

// uniqueID reads a uniqueId as Tomcat does. what says what is wrong with it.
func uniqueID(s string) (id, what string) {
	if !strings.HasPrefix(s, "{") {
		return "", "this one does not begin with a brace"
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == '{' || r == ',' || r == '}' })
	out := make([]byte, 0, 16)
	for _, w := range words {
		n, err := strconv.ParseInt(w, 10, 8)
		switch {
		case err == nil:
			out = append(out, byte(n))
		case strings.TrimSpace(w) != w:
			return "", "this one has a blank, which no number of it may have"
		default:
			return "", fmt.Sprintf("`%s` is no number from -128 to 127", w)
		}
	}
	if len(out) != 16 {
		return "", fmt.Sprintf("this one has %d", len(out))
	}
	return string(out), ""
}

var staticServiceStartOptions = &lint.Rule{
	ID: "T206", Name: "static-service-start-options", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Fixable: true,
	Versions: lint.Versions{Tomcat: lint.Range{From: "9"}, Text: "Tomcat 9 10.1 11"},
	Doc: lint.Doc{
		What:   "A cluster with a StaticMembershipService has channelStartOptions that do not start everything.",
		Why:    "The service is what the start options leave out: the static members are never asked, and every node stays alone.",
		Fix:    "Take the attribute out.",
		Bad:    inCluster(` channelStartOptions="3"`, exampleService),
		Good:   inCluster("", exampleService),
		Notes:  "channelStartOptions=\"3\" belongs to the StaticMembershipInterceptor, where it keeps multicast off.",
		Source: "Cluster reference, channelStartOptions; StaticMembershipService.start.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			m := c.membership()
			if m == nil || model.SimpleClass(m.Class.V) != "StaticMembershipService" || !c.StartOptions.IsWritten() || c.StartOptions.V&startDefault == startDefault {
				continue
			}
			f := lint.Finding{At: c.StartOptions.Span, Subject: c.Cluster,
				Message: fmt.Sprintf("StaticMembershipService needs the default channelStartOptions (15), not %d; remove the attribute", c.StartOptions.V),
				Related: []diag.Related{lint.Related(m.At.Head(), "the service that is not started")}}
			if e, ok := removeAttribute(c.StartOptions.Span, "channelStartOptions"); ok {
				f.Fixes = []diag.Fix{{Message: "start everything, the default", Safe: true, Edits: []diag.Edit{e}}}
			}
			p.Report(f)
		}
	},
}

const exampleService = `    <Membership className="org.apache.catalina.tribes.membership.StaticMembershipService">
      <LocalMember className="org.apache.catalina.tribes.membership.StaticMember" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1}"/>
      <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.12" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
    </Membership>`
