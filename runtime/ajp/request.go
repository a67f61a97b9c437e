package ajp

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"clowder/runtime/exchange"
)

// Attribute is one req_attribute (httpd: an environment variable AJP_name).
type Attribute struct{ Name, Value string }

// SSL is what mod_ssl knows about the client's connection. KeySize is in bits, 0 unknown.
type SSL struct {
	Protocol, Cert, Cipher, Session string
	KeySize                         int
}

// Request is a FORWARD_REQUEST and its body. Empty strings of RemoteHost and of
// the attributes are not sent (RemoteHost as null).
type Request struct {
	Method, Protocol     string
	URI                  string // path without query, still encoded
	Query                string
	HasQuery             bool
	RemoteAddr           string
	RemoteHost           string // "" unless a name was looked up
	ServerName           string // host of the Host header, or ServerName
	ServerPort           int    // local port of the client's connection
	RemotePort           int    // 0: not sent
	LocalAddr            string
	TLS                  bool
	SSL                  SSL
	RemoteUser, AuthType string
	Secret               string
	JVMRoute             string // route of the session id the request came with
	Context, ServletPath string // never sent by httpd
	Header               exchange.Header
	Attributes           []Attribute
	hasSecret            bool

	// Body is nil without a body. Length is its length in bytes, -1 when the
	// client sends chunks, 0 for none.
	Body   io.Reader
	Length int64

	// OnFlush is called from the goroutine that reads the answer's body when
	// Tomcat asks for a flush (an empty SEND_BODY_CHUNK). May be nil.
	OnFlush func()
}

func appendAttr(b []byte, code byte, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, code), s)
}

func appendReqAttr(b []byte, name, value string) []byte {
	return appendString(appendString(append(b, attrReqAttribute), name), value)
}

// AppendRequest appends the request's head as a FORWARD_REQUEST packet, fields in
// the order of httpd's ajp_marshal_into_msgb. A head that does not fit into size
// bytes gives [ErrTooLarge] and b as it was: httpd answers 400.
func AppendRequest(b []byte, r *Request, size int) ([]byte, error) {
	from := len(b)
	mc := methodCode(r.Method)
	b = begin(b, 0x12, 0x34)
	b = append(b, TypeForwardRequest, mc)
	for _, s := range [...]string{r.Protocol, r.URI, r.RemoteAddr} {
		b = appendString(b, s)
		if len(b)-from > size {
			return b[:from], ErrTooLarge
		}
	}
	if r.RemoteHost == "" {
		b = appendNull(b)
	} else {
		b = appendString(b, r.RemoteHost)
	}
	b = appendString(b, r.ServerName)
	b = binary.BigEndian.AppendUint16(b, uint16(r.ServerPort))
	b = append(b, boolByte(r.TLS))
	if len(r.Header) > 0xFFFF {
		return b[:from], ErrTooLarge
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Header)))
	for _, f := range r.Header {
		if len(f.Name)+len(f.Value) > size || len(b)-from > size {
			return b[:from], ErrTooLarge
		}
		b = appendString(appendName(b, requestHeaders[:], f.Name), f.Value)
	}
	b, ok := appendAttributes(b, r, mc, from+size)
	if !ok {
		return b[:from], ErrTooLarge
	}
	return finish(append(b, attrEnd), from, size)
}

func appendAttributes(b []byte, r *Request, mc byte, limit int) ([]byte, bool) {
	for _, s := range [...]string{r.Secret, r.Query, r.SSL.Cert, r.RemoteHost, r.ServerName} {
		if len(s) > 0xFFFE {
			return b, false
		}
	}
	b = appendAttr(b, attrSecret, r.Secret)
	b = appendAttr(b, attrRemoteUser, r.RemoteUser)
	b = appendAttr(b, attrAuthType, r.AuthType)
	if r.HasQuery || r.Query != "" {
		b = appendString(append(b, attrQueryString), r.Query)
	}
	b = appendAttr(b, attrJVMRoute, r.JVMRoute)
	if r.TLS {
		b = appendAttr(b, attrSSLCert, r.SSL.Cert)
		b = appendAttr(b, attrSSLCipher, r.SSL.Cipher)
		b = appendAttr(b, attrSSLSession, r.SSL.Session)
		if r.SSL.KeySize > 0 {
			b = binary.BigEndian.AppendUint16(append(b, attrSSLKeySize), uint16(r.SSL.KeySize))
		}
	}
	if mc == methodStored {
		b = appendString(append(b, attrStoredMethod), r.Method)
	}
	if r.TLS && r.SSL.Protocol != "" {
		b = appendReqAttr(b, nameSSLProtocol, r.SSL.Protocol)
	}
	if r.RemotePort > 0 {
		b = appendReqAttr(b, nameRemotePort, strconv.Itoa(r.RemotePort))
	}
	if r.LocalAddr != "" {
		b = appendReqAttr(b, nameLocalAddr, r.LocalAddr)
	}
	for _, a := range r.Attributes {
		if len(a.Name)+len(a.Value) > 0xFFFE || len(b) > limit {
			return b, false
		}
		b = appendReqAttr(b, a.Name, a.Value)
	}
	return b, len(b) <= limit
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// DecodeRequest reads the payload of a FORWARD_REQUEST. Names of coded headers
// are lower case. Length is that of the Content-Length header, -1 with chunked
// transfer coding.
func DecodeRequest(p []byte) (*Request, error) {
	d := &decoder{b: p}
	if d.byte("type") != TypeForwardRequest {
		return nil, fmt.Errorf("%w: not a FORWARD_REQUEST", ErrMalformed)
	}
	r := &Request{}
	mc := d.byte("method")
	switch {
	case mc >= 1 && int(mc) <= len(methods):
		r.Method = methods[mc-1]
	case mc != methodStored:
		d.fail("unknown method code")
	}
	r.Protocol, _ = d.string("protocol")
	r.URI, _ = d.string("uri")
	r.RemoteAddr, _ = d.string("remote address")
	r.RemoteHost, _ = d.string("remote host")
	r.ServerName, _ = d.string("server name")
	r.ServerPort = int(d.uint16("server port"))
	r.TLS = d.byte("is_ssl") != 0
	n := int(d.uint16("header count"))
	if 3*n > len(d.b) { // a header is at least a code and a null value
		d.fail("header count")
		n = 0
	}
	r.Header = make(exchange.Header, 0, n)
	for range n {
		name := d.name(requestHeaders[:])
		value, _ := d.string("header value")
		if d.bad {
			break
		}
		r.Header = append(r.Header, exchange.Field{Name: name, Value: value})
	}
	decodeAttributes(d, r)
	if !d.bad && mc == methodStored && r.Method == "" {
		d.fail("no stored method")
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return r, bodyLength(r)
}

func bodyLength(r *Request) error {
	if te, ok := r.Header.Lookup("transfer-encoding"); ok && te != "" && te != "identity" {
		r.Length = -1
		return nil
	}
	if cl, ok := r.Header.Lookup("content-length"); ok {
		n, err := strconv.ParseUint(cl, 10, 63)
		if err != nil {
			return fmt.Errorf("%w: Content-Length", ErrMalformed)
		}
		r.Length = int64(n)
	}
	return nil
}

func decodeAttributes(d *decoder, r *Request) {
	for !d.bad {
		code := d.byte("attribute code")
		var into *string
		switch code {
		case attrEnd:
			return
		case attrContext:
			into = &r.Context
		case attrServletPath:
			into = &r.ServletPath
		case attrRemoteUser:
			into = &r.RemoteUser
		case attrAuthType:
			into = &r.AuthType
		case attrQueryString:
			into, r.HasQuery = &r.Query, true
		case attrJVMRoute:
			into = &r.JVMRoute
		case attrSSLCert:
			into = &r.SSL.Cert
		case attrSSLCipher:
			into = &r.SSL.Cipher
		case attrSSLSession:
			into = &r.SSL.Session
		case attrSecret:
			into, r.hasSecret = &r.Secret, true
		case attrStoredMethod:
			into = &r.Method
		case attrSSLKeySize:
			r.SSL.KeySize = int(d.uint16("key size"))
			continue
		case attrReqAttribute:
			decodeReqAttribute(d, r)
			continue
		default:
			// Tomcat ignores a code it does not know and goes on with the next
			// byte; its content would then be read as codes. Refuse it.
			d.fail("unknown attribute code")
			return
		}
		*into, _ = d.string("attribute")
	}
}

func decodeReqAttribute(d *decoder, r *Request) {
	name, _ := d.string("attribute name")
	value, _ := d.string("attribute value")
	switch {
	case d.bad:
	case name == nameSSLProtocol:
		r.SSL.Protocol = value
	case name == nameLocalAddr:
		r.LocalAddr = value
	case name == nameRemotePort:
		// Tomcat ignores a port that is not a number.
		if n, err := strconv.ParseUint(value, 10, 16); err == nil {
			r.RemotePort = int(n)
		}
	default:
		r.Attributes = append(r.Attributes, Attribute{name, value})
	}
}
