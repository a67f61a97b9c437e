package interop

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// remoteAnswer asks as a proxy at the address does, for the client in the header.
func remoteAnswer(t *testing.T, port int, from, host, path string, header http.Header) string {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}}
	req, err := http.NewRequest("GET", "http://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s", res.Status, body)
}

// TestRemoteIP compares whose address counts with httpd: for access rules and in
// what the backend is told.
func TestRemoteIP(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "for %q client %q proxies %q", r.Header["X-Forwarded-For"], r.Header["X-Client"], r.Header["X-Proxies"])
	}))
	defer backend.Close()

	sites := []string{
		"",
		"RemoteIPHeader X-Forwarded-For\n",
		"RemoteIPHeader X-Client\nRemoteIPProxiesHeader X-Proxies\n",
		"RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1\nRemoteIPProxiesHeader X-Proxies\n",
		"RemoteIPHeader X-Client\nRemoteIPTrustedProxy 127.0.0.1 8.8.8.0/24\nRemoteIPProxiesHeader X-Proxies\n",
		"RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 8.8.8.8\nRemoteIPInternalProxy 127.0.0.0/8 10.0.0.0/255.0.0.0\nRemoteIPProxiesHeader X-Proxies\n",
		"RemoteIPTrustedProxy 127.0.0.1\n",
		"RemoteIPHeader X-Client\nRemoteIPProxyProtocol Off\nRemoteIPInternalProxy 127.0.0.2 2001:db8::/32 10.1\n",
	}
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "Listen 127.0.0.1:%d\n%sLoadModule remoteip_module $MODULES/mod_remoteip.so\nServerName front.example\n", port, authModules)
		for i, s := range sites {
			fmt.Fprintf(&b, "<VirtualHost *:%d>\nServerName v%d.example\n%sProxyPass / %s/\n", port, i, s, backend.URL)
			for _, r := range []string{"ip 127.0.0.1", "ip 10.0.0.0/8", "ip 8.8.8.0/24", "local", "ip 2001:db8::/32"} {
				fmt.Fprintf(&b, "<Location \"/%s\">\nRequire %s\n</Location>\n", strings.ReplaceAll(strings.ReplaceAll(r, " ", "-"), "/", "-"), r)
			}
			b.WriteString("<Location /old>\nOrder allow,deny\nAllow from 9.9.9.9 10.1\n</Location>\n</VirtualHost>\n")
		}
		return b.String()
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startSetup(t, map[string]string{"httpd.conf": strings.ReplaceAll(conf(ports[1]), "$MODULES", "/usr/lib/apache2/modules")})

	rnd := rand.New(rand.NewPCG(7, 2026))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	changed := 0
	for range 600 {
		from, host := pick("127.0.0.1", "127.0.0.1", "127.0.0.2"), fmt.Sprintf("v%d.example", rnd.IntN(len(sites)))
		path := pick("/", "/", "/ip-127.0.0.1", "/ip-10.0.0.0-8", "/ip-8.8.8.0-24", "/local", "/ip-2001:db8::-32", "/old")
		header := http.Header{}
		for _, name := range []string{"X-Forwarded-For", "X-Client"} {
			for range rnd.IntN(3) {
				list := make([]string, 1+rnd.IntN(3))
				for i := range list {
					list[i] = pick("10.1.2.3", "8.8.8.8", "9.9.9.9", "127.0.0.1", "192.168.1.1", "172.20.0.1", "2001:db8::1", "fe80::1", "::ffff:8.8.8.9", "garbage..", "")
				}
				header.Add(name, strings.Join(list, pick(",", ", ", " , ")))
			}
		}
		want := remoteAnswer(t, ports[0], from, host, path, header)
		got := remoteAnswer(t, ports[1], from, host, path, header)
		if got != want {
			t.Errorf("%s%s from %s with %v:\nclowder %s\nhttpd   %s\n%s", host, path, from, header, got, want, sites[host[1]-'0'])
		}
		if !strings.Contains(want, from+`"]`) {
			changed++
		}
	}
	if changed < 200 {
		t.Errorf("the header counted in %d answers only", changed)
	}
}
