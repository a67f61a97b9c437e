package report

import "testing"

func TestHideSecrets(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`<Connector secret="abc" port="1"/>`, `<Connector secret="***" port="1"/>`},
		{`<Connector requiredSecret = 'äbc'/>`, `<Connector requiredSecret = '****'/>`},
		{`<Connector secretRequired="true" secret=""/>`, `<Connector secretRequired="true" secret=""/>`},
		{`<Connector secret="${s}"/>`, `<Connector secret="${s}"/>`},
		{`<Interceptor encryptionKey="00ff"/>`, `<Interceptor encryptionKey="****"/>`},
		{`<Certificate certificateKeystorePassword="x y"/>`, `<Certificate certificateKeystorePassword="***"/>`},
		{`BalancerMember ajp://h:8009 secret=abc route=a`, `BalancerMember ajp://h:8009 secret=*** route=a`},
		{`worker.a.secret=abc`, `worker.a.secret=***`},
		{`<Connector secret="abc`, `<Connector secret="***`},
		{`ProxyPass /a ajp://h/`, `ProxyPass /a ajp://h/`},
	} {
		if got := hideSecrets(c.line); got != c.want {
			t.Errorf("%s: got %s", c.line, got)
		}
	}
}
