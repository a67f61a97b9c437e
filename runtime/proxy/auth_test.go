package proxy

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
	"clowder/runtime/front"
)

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// authSite runs a configuration below a folder with files of users and groups, and
// returns how to ask it and what it logs.
func authSite(t *testing.T, config string, change func(*model.FrontEnd)) (ask func(path string, header ...string) (status int, challenge, body string), access, errs *logBuffer) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"users": "ann:{SHA}YDV33R8IzlsB5bY1NVyuHerfnOA=\nold:FMOlbwWCC/pWQ\n", "groups": "staff: ann\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	config = fmt.Sprintf("ServerRoot \"%s\"\nServerName front.example\nListen %s\n%s", dir, ln.Addr(), config)
	cfg, _ := httpd.Load(diag.NewFile(filepath.Join(dir, "httpd.conf"), []byte(config)), httpd.Options{})
	f, _, _ := httpd.Lower(cfg)
	if change != nil {
		change(f)
	}
	access, errs = &logBuffer{}, &logBuffer{}
	p, err := New(f, Options{Log: slog.New(slog.NewTextHandler(errs, nil)), AccessLog: func(string) (io.Writer, error) { return access, nil }})
	if err != nil {
		t.Fatal(err)
	}
	srv := front.New(front.Config{Handler: p.Handler(p.Listens()[0]), KeepAlive: true})
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close(); p.Close() })
	return func(path string, header ...string) (int, string, string) {
		t.Helper()
		req, err := http.NewRequest("GET", "http://"+ln.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Add(name, value)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("WWW-Authenticate"), string(body)
	}, access, errs
}

// Credentials of ann ("pass wörd:1"), as they may and may not be sent.
const (
	annLogin   = "Authorization: Basic YW5uOnBhc3Mgd8O2cmQ6MQ=="
	annGarbage = "Authorization: Basic YW5uOnBhc3Mgd8O2cmQ6MQ==!!"
	annZero    = "Authorization: Basic YW5uADpwYXNzIHfDtnJkOjE="
	wrongLogin = "Authorization: Basic YW5uOlNFQ1JFVA==" // ann:SECRET
)

// TestLogin: the user reaches the Tomcat and the access log; what can be read in two
// ways is no login; passwords are not logged.
func TestLogin(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back := &ajp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := ajp.FromContext(r.Context())
		fmt.Fprintf(w, "user %q by %q", i.RemoteUser, i.AuthType)
	})}
	go back.Serve(ln)
	t.Cleanup(func() { back.Close() })
	ask, access, errs := authSite(t, `
CustomLog access.log "%u %>s %U"
ErrorDocument 401 http://elsewhere.example/login
ProxyPass / ajp://`+ln.Addr().String()+`/
<Location /in>
AuthType Basic
AuthName "the realm"
AuthUserFile users
AuthGroupFile groups
Require group Staff
</Location>
<Location /in/mixed>
Require local
Require valid-user
</Location>
`, nil)
	const challenge = `Basic realm="the realm"`
	for _, c := range []struct {
		path   string
		header []string
		status int
		want   string // challenge or body
	}{
		{"/in/1", []string{annLogin}, 200, `user "ann" by "Basic"`},
		{"/in/2", nil, 401, challenge},
		{"/in/3", []string{wrongLogin}, 401, challenge},
		{"/in/4", []string{annGarbage}, 401, challenge},
		{"/in/5", []string{annZero}, 401, challenge},
		{"/in/6", []string{annLogin, annLogin}, 401, challenge},
		{"/in/7", []string{"Authorization: Basic Og=="}, 401, challenge}, // an empty name
		{"/in/8", []string{"Authorization: Basic b2xkOnBhc3Mgd8O2cmQ6MQ=="}, 401, challenge},
		{"/in/mixed", []string{wrongLogin}, 200, `user "" by ""`}, // let in by address, nobody looked at the password
		{"/out", []string{annLogin}, 200, `user "" by ""`},
	} {
		status, chal, body := ask(c.path, c.header...)
		if got := chal + body; status != c.status || !strings.HasPrefix(got, c.want) || status == 200 && chal != "" {
			t.Errorf("%s %q: %d %s", c.path, c.header, status, got)
		}
	}
	for _, line := range []string{"ann 200 /in/1\n", "- 401 /in/2\n", "ann 401 /in/3\n", "- 401 /in/4\n", "- 401 /in/6\n", "\"\" 401 /in/7\n", "old 401 /in/8\n", "- 200 /in/mixed\n"} {
		if !strings.Contains(access.String(), line) {
			t.Errorf("no %q in the access log\n%s", line, access)
		}
	}
	said := errs.String()
	for _, want := range []string{"AuthUserFile: a line cannot be used", "line=2 user=old", "AH01617: user ann", "AH01618: user  not found"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in the log\n%s", want, said)
		}
	}
	for _, secret := range []string{"SECRET", "wörd", "w\\xc3", "YDV33R8", "FMOlbw"} {
		if strings.Contains(said, secret) || strings.Contains(access.String(), secret) {
			t.Errorf("%q is in a log", secret)
		}
	}
}

// TestNotAskable: what cannot be asked lets nobody in, negated or not, and is told at
// the start with its place.
func TestNotAskable(t *testing.T) {
	const login = "AuthName x\nAuthUserFile users\n"
	ask, _, errs := authSite(t, `
<Location /ldap>
AuthType Basic
`+login+`AuthBasicProvider ldap
Require valid-user
</Location>
<Location /digest>
AuthType Digest
`+login+`Require valid-user
</Location>
<Location /not>
<RequireAll>
Require all granted
Require not ldap-user bob
</RequireAll>
</Location>
<Location /nogroups>
AuthType Basic
AuthGroupFile missing
`+login+`<RequireAll>
Require valid-user
Require not group staff
</RequireAll>
</Location>
<Location /norule>
AuthType Basic
`+login+`</Location>
`, nil)
	for _, path := range []string{"/ldap", "/digest", "/not", "/nogroups", "/norule"} {
		if status, _, _ := ask(path, annLogin); status != 500 {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, want := range []string{"AuthBasicProvider ldap is not carried out", "AuthType Digest is not carried out", "Require ldap-user is not carried out",
		"AuthGroupFile cannot be read", "httpd.conf:"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q in the log\n%s", want, errs)
		}
	}
	// httpd 2.2 asks for nothing without Require.
	ask, _, _ = authSite(t, "<Location /norule>\nAuthType Basic\n"+login+"</Location>\n", func(f *model.FrontEnd) { f.Version = model.Is("2.2.21", f.At) })
	if status, _, _ := ask("/norule"); status != 404 {
		t.Errorf("2.2 without Require: %d", status)
	}
}

// TestRefusedAtStart: an address that is none would be a rule that nobody meets.
func TestRefusedAtStart(t *testing.T) {
	for _, config := range []string{
		"<Location />\nDeny from 10.0.0.0/99\n</Location>\n",
		"<Location />\nDeny from 1:2:3\n</Location>\n",
		"RemoteIPHeader X-Client\nRemoteIPTrustedProxy 10.0.0.0/99\n",
		"RemoteIPHeader X-Client\nRemoteIPTrustedProxyList missing\n",
		"RemoteIPProxyProtocol On\n",
	} {
		cfg, _ := httpd.Load(diag.NewFile("httpd.conf", []byte("ServerName x.example\n"+config)), httpd.Options{})
		f, _, _ := httpd.Lower(cfg)
		p, err := New(f, Options{})
		if err == nil {
			p.Close()
			t.Errorf("started:\n%s", config)
		} else if !strings.Contains(err.Error(), "httpd.conf:") {
			t.Errorf("%v: no place", err)
		}
	}
}

// TestMergeKeeps: merging the same sections again gives the same object, so that a
// request with two sections allocates nothing for it.
func TestMergeKeeps(t *testing.T) {
	conf := func(kind string) *authConf {
		a, err := newAuthConf(&model.Access{AuthType: model.Def(kind), Merging: model.Is("And", diag.Span{}),
			Require: &model.Require{Args: []model.String{model.Is("all", diag.Span{}), model.Is("granted", diag.Span{})}}}, nil, diag.Span{})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	outer, inner := conf("Basic"), conf("Basic")
	if n := testing.AllocsPerRun(100, func() { inner.over(outer) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for range 5 * maxMerged {
		inner.over(conf("Basic"))
	}
	kept := 0
	inner.merged.Range(func(any, any) bool { kept++; return true })
	if kept > maxMerged {
		t.Errorf("%d merged rules are kept", kept)
	}
}

// FuzzCredentials: whoever gets through is who every reader of the field sees.
func FuzzCredentials(f *testing.F) {
	for _, h := range []string{annLogin, annGarbage, annZero, wrongLogin, "Authorization: basic  Og"} {
		_, v, _ := strings.Cut(h, ": ")
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		user, password, found, ok := basicCredentials(exchange.Header{{Name: "authorization", Value: v}})
		if !found {
			t.Fatal("not found")
		}
		if !ok {
			if user != "" || password != "" {
				t.Errorf("%q: %q %q", v, user, password)
			}
			return
		}
		if strings.ContainsAny(user+password, "\x00") || strings.Contains(user, ":") {
			t.Errorf("%q: %q %q", v, user, password)
		}
		_, token, _ := strings.Cut(v, " ")
		token = strings.TrimRight(strings.Trim(token, " \t"), "=")
		token += strings.Repeat("=", (4-len(token)%4)%4)
		r := &http.Request{Header: http.Header{"Authorization": {"Basic " + token}}}
		if u, p, std := r.BasicAuth(); std && (u != user || p != password) {
			t.Errorf("%q: %q %q, net/http sees %q %q", v, user, password, u, p)
		}
	})
}
