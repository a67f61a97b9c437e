package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
)

var networkAddressAsHost = &lint.Rule{
	ID: "H508", Name: "network-address-as-host", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Access, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "Access is allowed or denied to an address that ends in .0, without a mask.",
		Why:  "httpd takes four numbers for one host, and no host has that address. The network that was meant is not in the rule.",
		Fix:  "Write the network with its mask, such as 10.0.0.0/24, or leave the last numbers out.",
		Bad: `<Location "/app">
    Require ip 10.0.0.0
</Location>`,
		Good: `<Location "/app">
    Require ip 10.0.0.0/24 10.1
</Location>`,
		Notes:  "IPv4 only. Parts of addresses and anything with a mask are right.",
		Source: "mod_authz_host, Require ip; apr_ipsubnet_create; seen in public configurations.",
	},
	Check: func(p *lint.Pass) {
		for d := range p.Directives {
			for _, a := range hostArgs(d.Node) {
				if addr, ok := networkAddress(a.Text); ok {
					p.Report(lint.Finding{
						At:      wordPlace(a.Span),
						Message: fmt.Sprintf("`%s` is one address, not a network; write `%s`", a.Text, addr),
					})
					break // one finding for each line
				}
			}
		}
	},
}

// hostArgs returns the words of an access rule that are addresses or hosts.
func hostArgs(n *httpd.Node) []httpd.Arg {
	switch {
	case n.Is("Allow"), n.Is("Deny"):
		if len(n.Args) > 1 {
			return n.Args[1:]
		}
	case n.Is("Require"):
		args := n.Args
		if len(args) > 0 && strings.EqualFold(args[0].Text, "not") {
			args = args[1:]
		}
		if len(args) > 1 && strings.EqualFold(args[0].Text, "ip") {
			return args[1:]
		}
	}
	return nil
}

// networkAddress returns the network that an IPv4 address ending in 0 looks like.
func networkAddress(s string) (string, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return "", false
	}
	b := a.As4()
	bits := 32
	for i := 3; i >= 0 && b[i] == 0; i-- {
		bits -= 8
	}
	return fmt.Sprintf("%s/%d", s, bits), bits < 32
}
