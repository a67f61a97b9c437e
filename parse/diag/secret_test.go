package diag

import "testing"

func TestHideSecrets(t *testing.T) {
	for in, want := range map[string]string{
		`BalancerMember "ajp://h" route=s1 secret=Ab9 ttl=3`:                  `BalancerMember "ajp://h" route=s1 secret=*** ttl=3`,
		`BalancerMember ajp://h "secret=Ab9" ttl=3`:                           `BalancerMember ajp://h "secret=***" ttl=3`,
		`ProxySet nonce=abc`:                                                  `ProxySet nonce=***`,
		`<Connector secret = "a b" secretRequired="true" packetSize="8192"/>`: `<Connector secret = "***" secretRequired="true" packetSize="8192"/>`,
		`<Connector requiredSecret='x'/>`:                                     `<Connector requiredSecret='*'/>`,
		`<Connector secret="abc`:                                              `<Connector secret="***`,
		`<Connector secret=""/>`:                                              `<Connector secret=""/>`,
		`<Connector secret="${s}"/>`:                                          `<Connector secret="${s}"/>`,
		`<Certificate certificateKeystorePassword="x y"/>`:                    `<Certificate certificateKeystorePassword="***"/>`,
		`<Connector keystorePass="xy"/>`:                                      `<Connector keystorePass="**"/>`,
		`<Interceptor encryptionKey="00ff"/>`:                                 `<Interceptor encryptionKey="****"/>`,
		`worker.s1.secret=abc`:                                                `worker.s1.secret=***`,
		`<Connector secret="é"/>`:                                             `<Connector secret="**"/>`,
		`ProxyPass / http://bob:hush@h:80/x@y`:                                `ProxyPass / http://bob:****@h:80/x@y`,
		`ProxyPass / http://bob@h:80/a:b@c`:                                   `ProxyPass / http://bob@h:80/a:b@c`,
		`ProxyPass "/secret" "http://h/secret"`:                               `ProxyPass "/secret" "http://h/secret"`,
	} {
		if got := HideSecrets(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
