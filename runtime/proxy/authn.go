package proxy

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"

	"clowder/runtime/exchange"
	"clowder/runtime/htpasswd"
)

// login is who a request comes from, as far as its password was looked at.
type login struct {
	user      string // REMOTE_USER, also when the password was wrong
	hasUser   bool
	authType  string // Basic, once AuthType counted
	challenge string // WWW-Authenticate of a 401
}

// authorize decides whether the request may go on: access control without a user,
// then the user, then access control with the user (ap_process_request_internal in
// server/request.c).
func (c *call) authorize() *problem {
	a := c.conf.auth
	if a == nil {
		return nil
	}
	q := c.x.Req
	cl := &client{call: c, addr: plainAddr(q.Remote).WithZone(""), local: plainAddr(q.Local).WithZone("")}
	if h := a.hosts; h != nil {
		allowFirst, any := h.ways(q.Method)
		ok := h.allows(cl, allowFirst)
		if ok && any {
			return nil
		}
		if !ok {
			c.refused("AH01797", cl.addr)
			if !any {
				return &problem{status: 403}
			}
		}
	}
	if a.rules == nil {
		// In 2.2 AuthType without Require asks for nothing.
		if a.authType() == "" || strings.HasPrefix(c.p.front.Version.V, "2.2") {
			return nil
		}
		return c.misconfigured("AH01627: AuthType configured with no corresponding authorization directives")
	}
	switch a.rules.eval(cl, true) {
	case granted:
		return nil
	case needUser:
	case failed:
		return c.misconfigured("an access rule cannot be asked")
	default:
		c.refused("AH01630", cl.addr)
		return &problem{status: 403}
	}
	if prob := c.authenticate(); prob != nil {
		return prob
	}
	return c.authorizeUser(cl)
}

// authorizeUser is the second half of authorize_user_core in mod_authz_core.c.
func (c *call) authorizeUser(cl *client) *problem {
	a := c.conf.auth
	switch a.rules.eval(cl, true) {
	case granted:
		return nil
	case failed:
		return c.misconfigured("an access rule cannot be asked")
	case needUser:
		c.p.log.Error("AH01629: authorization failure (no authenticated user)", "path", c.path, "client", cl.addr)
		return &problem{status: 401}
	}
	c.p.log.Error("AH01631: user "+escapeLog(c.user)+": authorization failure", "path", c.path, "client", cl.addr)
	if a.forbid != nil && *a.forbid {
		return &problem{status: 403}
	}
	return &problem{status: 401}
}

func (c *call) refused(id string, client netip.Addr) {
	what := c.path
	if c.url != "" {
		what = "proxy:" + visible(c.url)
	}
	c.p.log.Error(id+": client denied by server configuration: "+what, "client", client)
}

// misconfigured refuses because the configuration gives no answer.
func (c *call) misconfigured(why string) *problem {
	return &problem{status: 500, err: errors.New(why)}
}

// authenticate finds the user and checks the password (authenticate_basic_user of
// mod_auth_basic.c). nil means that both are right.
func (c *call) authenticate() *problem {
	a := c.conf.auth
	if !strings.EqualFold(a.authType(), "basic") {
		return c.misconfigured("AH00025: configuration error:  couldn't check user: AuthType " + a.authType() + " is not carried out here")
	}
	realm, ok := c.realm()
	if !ok {
		return c.misconfigured("AH01615: need AuthName")
	}
	c.authType = a.authType()
	c.challenge = `Basic realm="` + escapeQuotes(realm) + `"`
	refuse := func(why string) *problem {
		if why != "" {
			c.p.log.Error(why, "path", c.path, "client", plainAddr(c.x.Req.Remote))
		}
		return &problem{status: 401}
	}
	user, password, found, ok := basicCredentials(c.x.Req.Header)
	switch {
	case !found:
		return refuse("")
	case !ok:
		return refuse("AH01614: client used wrong authentication scheme, or one that can be read in two ways")
	}
	c.user, c.hasUser = user, true
	result, err := c.verify(password)
	lax := a.lax != nil && *a.lax
	switch {
	case lax && (err != nil || result == htpasswd.NotFound):
		return c.misconfigured("AH00025: configuration error:  couldn't check user: no module but mod_auth_basic knows users")
	case err != nil:
		return &problem{status: 500, err: err}
	case result == htpasswd.NotFound:
		return refuse("AH01618: user " + escapeLog(user) + " not found")
	case result != htpasswd.Granted:
		return refuse("AH01617: user " + escapeLog(user) + ": authentication failure: Password Mismatch")
	}
	return nil
}

// verify asks the providers in turn until one knows the user.
func (c *call) verify(password string) (htpasswd.Result, error) {
	a := c.conf.auth
	providers := a.providers
	if len(providers) == 0 {
		providers = []string{"file"}
	}
	for _, p := range providers {
		if p != "file" {
			return htpasswd.Denied, errors.New("AuthBasicProvider " + p + " is not carried out here")
		}
		if a.userFile == "" {
			return htpasswd.Denied, errors.New("AH01619: AuthUserFile not specified in the configuration")
		}
		result, err := c.p.files.users(c.p.serverPath(a.userFile)).Verify(c.p.ctx, c.user, password)
		if err != nil || result != htpasswd.NotFound {
			return result, err
		}
	}
	return htpasswd.NotFound, nil
}

// realm is AuthName.
func (c *call) realm() (string, bool) {
	t := c.conf.auth.realm
	switch {
	case t == nil || t.unknown:
		return "", false
	case t.eval == nil:
		return t.constant, true
	}
	s, err := t.eval(c)
	return s, err == nil
}

// basicCredentials reads Authorization. found tells that there is one, ok that it is
// a plain Basic one. httpd reads as much of the base64 as it can, and the first of
// several fields; what a backend, which gets the same field, could read in another
// way is no login here.
func basicCredentials(h exchange.Header) (user, password string, found, ok bool) {
	value := ""
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Authorization") {
			continue
		}
		if found {
			return "", "", true, false
		}
		found, value = true, f.Value
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", found, false
	}
	token = strings.TrimRight(strings.Trim(token, " \t"), "=")
	raw, err := base64.RawStdEncoding.DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") || strings.IndexByte(string(raw), 0) >= 0 {
		return "", "", true, false
	}
	user, password, _ = strings.Cut(string(raw), ":")
	return user, password, true, true
}

// escapeQuotes puts a backslash before quotes that have none (ap_escape_quotes).
func escapeQuotes(s string) string {
	if strings.IndexByte(s, '"') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i])
			i++
		case s[i] == '"':
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
