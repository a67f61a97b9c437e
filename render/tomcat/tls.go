package tomcat

import (
	"fmt"
	"strings"

	"clowder/parse/known"
	"clowder/parse/model"
)

// moved are the attributes of a Connector that became those of an SSLHostConfig,
// or with a dot in front of its Certificate, in Tomcat 8.5 (the deprecated setters of
// org.apache.coyote.http11.AbstractHttp11Protocol of 9.0; gone in 10.0).
var moved = map[string]string{
	"sslEnabledProtocols": "protocols", "SSLProtocol": "protocols", "sslProtocol": "sslProtocol",
	"ciphers": "ciphers", "SSLCipherSuite": "ciphers", "useServerCipherSuitesOrder": "honorCipherOrder", "SSLHonorCipherOrder": "honorCipherOrder",
	"clientAuth": "certificateVerification", "SSLVerifyClient": "certificateVerification",
	"trustMaxCertLength": "certificateVerificationDepth", "SSLVerifyDepth": "certificateVerificationDepth",
	"crlFile": "certificateRevocationListFile", "SSLCARevocationFile": "certificateRevocationListFile", "SSLCARevocationPath": "certificateRevocationListPath",
	"SSLCACertificateFile": "caCertificateFile", "SSLCACertificatePath": "caCertificatePath",
	"truststoreFile": "truststoreFile", "truststorePass": "truststorePassword", "truststoreType": "truststoreType",
	"truststoreProvider": "truststoreProvider", "truststoreAlgorithm": "truststoreAlgorithm", "trustManagerClassName": "trustManagerClassName",
	"algorithm": "keyManagerAlgorithm", "sessionCacheSize": "sessionCacheSize", "sessionTimeout": "sessionTimeout",
	"SSLDisableCompression": "disableCompression", "SSLDisableSessionTickets": "disableSessionTickets",
	"keystoreFile": ".certificateKeystoreFile", "keystorePass": ".certificateKeystorePassword", "keystorePassFile": ".certificateKeystorePasswordFile",
	"keystoreType": ".certificateKeystoreType", "keystoreProvider": ".certificateKeystoreProvider",
	"keyAlias": ".certificateKeyAlias", "keyPass": ".certificateKeyPassword", "keyPassFile": ".certificateKeyPasswordFile",
	"SSLCertificateFile": ".certificateFile", "SSLCertificateKeyFile": ".certificateKeyFile", "SSLCertificateChainFile": ".certificateChainFile",
	"SSLPassword": ".certificateKeyPassword", "SSLPasswordFile": ".certificateKeyPasswordFile",
}

// keystores are the attributes of Java's keystores that go back to a Connector of
// Tomcat 7 or 8.0; the newest of several names is the one that these know.
var keystores = map[string]string{
	"protocols": "sslEnabledProtocols", "sslProtocol": "sslProtocol", "ciphers": "ciphers", "honorCipherOrder": "useServerCipherSuitesOrder",
	"certificateVerification": "clientAuth", "certificateVerificationDepth": "trustMaxCertLength", "certificateRevocationListFile": "crlFile",
	"truststoreFile": "truststoreFile", "truststorePassword": "truststorePass", "truststoreType": "truststoreType",
	"truststoreProvider": "truststoreProvider", "truststoreAlgorithm": "truststoreAlgorithm", "trustManagerClassName": "trustManagerClassName",
	"keyManagerAlgorithm": "algorithm", "sessionCacheSize": "sessionCacheSize", "sessionTimeout": "sessionTimeout",
	".certificateKeystoreFile": "keystoreFile", ".certificateKeystorePassword": "keystorePass", ".certificateKeystoreType": "keystoreType",
	".certificateKeystoreProvider": "keystoreProvider", ".certificateKeyAlias": "keyAlias", ".certificateKeyPassword": "keyPass",
}

// verification maps the words for certificates of clients to those of SSLHostConfig
// (SSLHostConfig.CertificateVerification.fromString); others go through as they are
// and stop the connector.
var verification = map[string]string{"true": "required", "yes": "required", "require": "required", "required": "required",
	"want": "optional", "optional": "optional", "optionalnoca": "optionalNoCA", "false": "none", "no": "none", "none": "none"}

// tls moves what a connector says about TLS to where the target version looks for it.
func (c *conversion) tls(e *element) *element {
	switch {
	case !c.to.atLeast("8.5"):
		return c.oldTLS(e)
	case c.from.branch() == c.to.branch() && c.fromKnown && c.to.bits&(known.T85|known.T9) != 0:
		return e // still read there
	}
	on := e.attr("SSLEnabled")
	enabled := on != nil && (strings.EqualFold(on.value, "true") || strings.Contains(on.value, "${"))
	apr := strings.Contains(e.value("protocol"), "Apr")
	host, cert := &element{name: "SSLHostConfig"}, &element{name: "Certificate"}
	var kept []attribute
	pem := e.attr("SSLCertificateFile") != nil && (e.attr("keystoreFile") == nil || apr)
	wins := c.winners(e, pem)
	for _, a := range e.attrs {
		to, ok := moved[a.name]
		switch {
		case !ok:
			kept = append(kept, a)
		case !enabled:
			c.ledger.Drop("the connector has no TLS: SSLEnabled is not true", "", a.place)
		case pem && strings.HasPrefix(a.name, "key"), !pem && strings.HasPrefix(a.name, "SSLCertificate"):
			c.ledger.Drop("the connector has a certificate of the other kind, which counts", "", a.place)
		case wins[to] != a.name:
			c.ledger.Drop("the same is said by "+wins[to]+", which counts", "", a.place)
		case strings.HasPrefix(to, "."):
			c.move(cert, to[1:], a)
		default:
			c.move(host, to, a)
		}
	}
	e.attrs = kept
	if !enabled {
		return e
	}
	return c.hostConfig(e, host, cert)
}

// strictness orders what is asked of clients' certificates; what is no word of
// these stops the connector.
func strictness(value string) int {
	switch verification[strings.ToLower(strings.TrimSpace(value))] {
	case "none":
		return 0
	case "optionalNoCA":
		return 1
	case "optional":
		return 2
	case "required":
		return 3
	}
	return 4
}

// winners says which attribute counts where two say the same: from 8.5 on the last
// one, before it those of the implementation that the certificate is for. When nothing
// says which Tomcat it is, the stricter demand on clients counts.
func (c *conversion) winners(e *element, pem bool) map[string]string {
	wins := map[string]string{}
	for _, a := range e.attrs {
		to, ok := moved[a.name]
		if !ok {
			continue
		}
		old := wins[to]
		later := c.from.atLeast("8.5") || strings.HasPrefix(a.name, "SSL") == pem
		if !c.fromKnown && to == "certificateVerification" && old != "" {
			later = strictness(a.value) > strictness(e.value(old))
		}
		if old == "" || later {
			wins[to] = a.name
		}
	}
	return wins
}

// move gives an attribute to an element under a new name. A list of protocols is
// joined with "+": a comma works as well, with a warning.
func (c *conversion) move(e *element, name string, a attribute) {
	if name == "certificateVerification" {
		if v, ok := verification[strings.ToLower(strings.TrimSpace(a.value))]; ok {
			a.value = v
		}
	}
	if name == "protocols" && !strings.ContainsAny(a.value, "+-$") {
		a.value = strings.Join(strings.FieldsFunc(a.value, func(r rune) bool { return r == ',' || r == ' ' }), "+")
	}
	a.name = name
	e.attrs = append(e.attrs, a)
}

// hostConfig puts the SSLHostConfig that the connector's attributes make into it.
func (c *conversion) hostConfig(e, host, cert *element) *element {
	name := e.value("defaultSSLHostConfigName")
	own := len(host.attrs)+len(cert.attrs) > 0
	for _, k := range e.children {
		if k.name != "SSLHostConfig" {
			continue
		}
		if h := k.value("hostName"); own && (h == name || name == "" && (h == "" || h == "_default_")) {
			return c.leaveOut(e, "the connector says TLS twice, by attributes and by an SSLHostConfig: Tomcat does not start it", "")
		}
		if !own {
			return e
		}
	}
	if !own && c.from.atLeast("10.0") {
		c.person(e, "as before the connector does not start: it has TLS, but no SSLHostConfig with a Certificate", "SSLHostConfig", e.attr("SSLEnabled").place)
		return e
	}
	if name != "" {
		host.attrs = append([]attribute{{name: "hostName", value: name}}, host.attrs...)
	}
	if cert.attr("certificateFile") == nil && cert.attr("certificateKeystoreFile") == nil {
		cert.attrs = append([]attribute{{name: "certificateKeystoreFile", value: "${user.home}/.keystore"}}, cert.attrs...)
	}
	host.children = []*element{cert}
	e.children = append([]*element{host}, e.children...)
	return e
}

// oldTLS writes TLS for Tomcat 7 and 8.0, which know attributes of the Connector
// and one certificate out of a keystore.
func (c *conversion) oldTLS(e *element) *element {
	var hosts, rest []*element
	for _, k := range e.children {
		if k.name == "SSLHostConfig" {
			hosts = append(hosts, k)
		} else {
			rest = append(rest, k)
		}
	}
	if len(hosts) == 0 {
		return e
	}
	cannot := func(why string) *element {
		return c.leaveOut(e, fmt.Sprintf("Tomcat %s takes one certificate out of a keystore: %s", c.to.text, why), "keystoreFile")
	}
	if len(hosts) > 1 || len(hosts[0].children) > 1 || len(hosts[0].children) == 1 && hosts[0].children[0].name != "Certificate" {
		return cannot("here are several")
	}
	back := make([]attribute, 0, len(hosts[0].attrs))
	for i, from := range append([]*element{hosts[0]}, hosts[0].children...) {
		for _, a := range from.attrs {
			if a.name == "hostName" || a.name == "type" {
				c.ledger.Drop("there is one certificate for all names", "", a.place)
				continue
			}
			key := a.name
			if i > 0 || strings.HasPrefix(key, "certificateKey") {
				key = "." + key
			}
			old, ok := keystores[key]
			if !ok {
				return cannot("there is no attribute for " + a.name)
			}
			if old == "clientAuth" {
				v, ok := map[string]string{"required": "true", "optional": "want", "none": "false"}[verification[strings.ToLower(a.value)]]
				if !ok {
					return cannot("certificateVerification cannot be said")
				}
				a.value = v
			}
			a.name = old
			back = append(back, a)
		}
	}
	if e.child("SSLHostConfig").value("className") != "" {
		return cannot("the SSLHostConfig has a class")
	}
	for _, from := range append([]*element{hosts[0]}, hosts[0].children...) {
		if k, ok := from.source.(*model.Component); ok {
			c.ledger.Exact(k.Element)
		}
	}
	e.attrs = append(e.attrs, back...)
	e.children = rest
	return e
}

// hostConfigCertificate moves what an SSLHostConfig says about its certificate into a
// Certificate, as 10.0 and later want it.
func (c *conversion) hostConfigCertificate(e *element) {
	if !c.to.atLeast("10.0") {
		return
	}
	cert := &element{name: "Certificate"}
	var kept []attribute
	for _, a := range e.attrs {
		if strings.HasPrefix(a.name, "certificateKey") || a.name == "certificateFile" || a.name == "certificateChainFile" {
			cert.attrs = append(cert.attrs, a)
		} else {
			kept = append(kept, a)
		}
	}
	if len(cert.attrs) > 0 {
		e.attrs = kept
		e.children = append([]*element{cert}, e.children...)
	}
}
