package rules

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var sendOptionsNoEffect = &lint.Rule{
	ID: "T309", Name: "send-options-no-effect", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "channelSendOptions of a Cluster, or mapSendOptions of a BackupManager, holds an option that does nothing, or a word or number that is no option.",
		Why:  "sync (4) only says what an acknowledgement means and asks for none; use_ack (2) does. secure (16) and multicast (64) are documented as not there. A value that cannot be read, or is not above 0, is dropped with a warning at most and the default stays: sessions are sent otherwise than the file says.",
		Fix:  "Write 6 (use_ack and sync): the request waits until the other nodes have the change.",
		Bad:  inEngine(`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="4"/>`),
		Good: inEngine(`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>`),
		Notes: "Unknown words and bits above 127 are errors; such bits are fine when an Interceptor has them in its optionFlag. " +
			"Names are written in lower case. The fix is offered for 4 or sync alone.",
		Source: "Cluster reference, channelSendOptions; Channel.parseSendOptions, tried with Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, o := range allSendOptions(p) {
			what, severity := o.fault()
			if what == "" {
				continue
			}
			f := lint.Finding{
				At: o.at, Subject: o.subject, Severity: severity,
				Message: fmt.Sprintf("%s=%q: %s", o.name, o.raw, what),
			}
			if o.wrong == "" && o.value == sendSyncAck {
				f.Fixes = safeFix("wait for the acknowledgement", valueOf(o.at).Text() == o.raw, diag.Edit{Span: valueOf(o.at), New: sendSuggested})
			}
			p.Report(f)
		}
	},
}

var asyncWithAck = &lint.Rule{
	ID: "T310", Name: "async-with-ack", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "channelSendOptions, or mapSendOptions of a BackupManager, asks for an acknowledgement and for asynchronous sending.",
		Why:    "With the asynchronous bit (8) a thread of its own sends the message. It waits for the acknowledgement, the request does not.",
		Fix:    "Write 6 when the request is to wait, 8 when it is not.",
		Bad:    inEngine(`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="11"/>`),
		Good:   inEngine(`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>`),
		Notes:  "It is allowed, and the senders do learn of lost members.",
		Source: "Cluster reference, channelSendOptions; MessageDispatchInterceptor.sendMessage.",
	},
	Check: func(p *lint.Pass) {
		for _, o := range allSendOptions(p) {
			if o.wrong == "" && o.value > 0 && o.value&sendAsync != 0 && o.value&(sendUseAck|sendSyncAck) != 0 {
				p.Report(lint.Finding{
					At: o.at, Subject: o.subject,
					Message: fmt.Sprintf("asynchronous (8) together with use_ack or sync (%s=%q): the request does not wait for the acknowledgement; write 6 if it is to wait", o.name, o.raw),
				})
			}
		}
	},
}

// writtenOptions are the send options of a cluster or manager as written.
type writtenOptions struct {
	name, raw string
	at        diag.Span
	value     int
	wrong     string // a word that is no option
	standard  int    // what counts when the value is not taken
	flags     int    // of the interceptors' optionFlag
	version   string
	subject   any
}

// allSendOptions returns what the clusters and their backup managers say.
func allSendOptions(p *lint.Pass) []writtenOptions {
	var out []writtenOptions
	for _, c := range placedClusters(p) {
		if o, ok := optionsOf(p, c, c.At, "channelSendOptions", c.SendOptions); ok {
			o.standard, o.subject = sendDefault, c.Cluster
			out = append(out, o)
		}
		m := c.Manager
		if m == nil || !isClass(m.Class.V, "BackupManager") {
			continue
		}
		if o, ok := optionsOf(p, c, m.At, "mapSendOptions", m.MapSendOptions); ok {
			o.standard, o.subject = sendUseAck|sendSyncAck, m
			out = append(out, o)
		}
	}
	return out
}

// optionsOf reads one attribute; false when it is not written, or holds a
// property that nobody resolved.
func optionsOf(p *lint.Pass, c placedCluster, tag diag.Span, name string, v model.Int) (o writtenOptions, ok bool) {
	o.name, o.flags = name, optionFlags(c.Cluster)
	o.version, _ = p.TomcatVersion(c.node)
	if v.IsWritten() {
		o.raw, o.at, o.value = valueOf(v.Span).Text(), v.Span, v.V
		if o.raw == v.Span.Text() || strings.ContainsAny(o.raw, "$&") {
			o.raw = strconv.Itoa(v.V)
		}
		return o, true
	}
	e := elementOf(p.Tomcat[c.node], tag)
	if e == nil || e.Attr(name) == nil || unknown(e.Attr(name).Value) {
		return o, false
	}
	a := e.Attr(name)
	o.raw, o.at = a.Value, a.Span
	o.value, o.wrong, _ = tomcat.ParseSendOptions(a.Value)
	return o, true
}

// optionFlags returns the bits that the interceptors of a cluster react to.
func optionFlags(c *model.Cluster) int {
	flags := 0
	if c.Channel != nil {
		for _, i := range c.Channel.Interceptors {
			if a := i.Attribute("optionFlag"); a != nil {
				n, _, _ := tomcat.ParseSendOptions(strings.TrimSpace(a.Value.V))
				flags |= n
			}
		}
	}
	return flags
}

// taken reports whether Tomcat uses the value: the setter for strings, which
// came after Tomcat 7, drops what is not above 0.
func (o writtenOptions) taken() bool {
	return o.wrong == "" && (o.value > 0 || !lint.AtLeast(o.version, "8.5"))
}

func (o writtenOptions) fault() (what string, s diag.Severity) {
	kept := fmt.Sprintf("%d, the default, stays", o.standard)
	if o.wrong != "" {
		return fmt.Sprintf("`%s` is neither a number nor an option; %s; options are byte, use_ack, sync, async, udp, in lower case, with commas between", strings.TrimSpace(o.wrong), kept), diag.Error
	}
	if !o.taken() {
		return "only a value above 0 is taken; " + kept, diag.Warning
	}
	if rest := o.value &^ 127 &^ o.flags; rest != 0 {
		return fmt.Sprintf("no option has the bits %d; the options end at 64 and no optionFlag of an interceptor uses them; write 6 or 8", rest), diag.Error
	}
	var parts []string
	if o.value&sendSyncAck != 0 && o.value&sendUseAck == 0 {
		parts = append(parts, "sync (4) does nothing without use_ack (2), nobody waits for an answer; write 6")
	}
	if o.value&16&^o.flags != 0 {
		parts = append(parts, "secure (16) is not implemented and encrypts nothing; use EncryptInterceptor")
	}
	if o.value&64&^o.flags != 0 {
		parts = append(parts, "multicast (64) is documented as not implemented; leave it out")
	}
	return strings.Join(parts, "; "), diag.Warning
}
