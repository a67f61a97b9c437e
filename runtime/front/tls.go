package front

import (
	"crypto/tls"
	"errors"
	"net"
)

// handshake makes the TLS handshake. A client that speaks plain HTTP gets a page
// that says so, as httpd's does (ssl_io_filter_error in ssl_engine_io.c).
func (c *conn) handshake(t *tls.Conn) bool {
	c.allow(c.s.cfg.ReadHeaderTimeout)
	c.writeSoon()
	err := t.Handshake()
	if err == nil {
		st := t.ConnectionState()
		c.tls = &st
		return true
	}
	c.s.cfg.Log.Debug("TLS handshake failed", "remote", c.remote, "err", err)
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && looksHTTP(plain.RecordHeader) {
		c.plainHTTP(plain.Conn)
	}
	return false
}

// looksHTTP knows the methods by which OpenSSL finds plain HTTP.
func looksHTTP(b [5]byte) bool {
	switch string(b[:4]) {
	case "GET ", "POST", "HEAD", "PUT ":
		return true
	}
	return false
}

// plainHTTP answers 400 on the connection below TLS.
func (c *conn) plainHTTP(nc net.Conn) {
	c.nc = nc
	w := works.Get().(*work)
	w.c = c
	defer putWork(w)
	w.resp.reset()
	w.body = body{w: w}
	page := c.s.cfg.PlainPage
	if page == nil {
		c.refuse(w, errPlain)
	} else {
		ct, text := page()
		c.refusePage(w, errPlain, ct, text)
	}
	c.linger(w.buf)
}

var errPlain = bad("plain HTTP on a TLS connection")
