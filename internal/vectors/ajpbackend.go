package vectors

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
)

// ajpBackend is a scripted AJP/1.3 backend with a decoder of its own, so that what
// it records does not depend on the code under test.
type ajpBackend struct{ lines }

func (b *ajpBackend) set(n behaviourJSON) error { return b.listen(n, b.serve) }

var ajpMethods = strings.Fields(`OPTIONS GET HEAD POST PUT DELETE TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL REPORT
	VERSION-CONTROL CHECKIN CHECKOUT UNCHECKOUT SEARCH MKWORKSPACE UPDATE LABEL MERGE BASELINE-CONTROL MKACTIVITY`)

var ajpHeaders = strings.Fields(`accept accept-charset accept-encoding accept-language authorization connection content-type
	content-length cookie cookie2 host pragma referer user-agent`)

var ajpAnswerHeaders = strings.Fields(`content-type content-language content-length date last-modified location set-cookie
	set-cookie2 servlet-engine status www-authenticate`)

var ajpAttributes = map[byte]string{1: "context", 2: "servlet_path", 3: "remote_user", 4: "auth_type", 5: "query_string",
	6: "jvm_route", 7: "ssl_cert", 8: "ssl_cipher", 9: "ssl_session", 10: "req_attribute", 11: "ssl_key_size", 12: "secret",
	13: "stored_method"}

var errShort = errors.New("packet ends too early")

// cursor reads the fields of a packet.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) take(n int) []byte {
	if len(c.b) < n {
		c.err = errShort
		return make([]byte, n)
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() byte  { return c.take(1)[0] }
func (c *cursor) number() int { return int(binary.BigEndian.Uint16(c.take(2))) }
func (c *cursor) text() *string {
	n := c.number()
	if n == 0xFFFF || c.err != nil {
		return nil
	}
	s := string(c.take(n + 1)[:n])
	return &s
}

func value(s *string) string {
	if s == nil {
		return "(null)"
	}
	return *s
}

// request decodes a FORWARD_REQUEST.
func (b *ajpBackend) request(p []byte, number int) (*seen, error) {
	c := &cursor{b: p[1:]}
	s := &seen{Member: b.name, Conn: number, Packet: "FORWARD_REQUEST"}
	s.MethodCode = int(c.byte())
	if s.MethodCode >= 1 && s.MethodCode <= len(ajpMethods) {
		s.Method = ajpMethods[s.MethodCode-1]
	} else if s.MethodCode == 0xFF {
		s.Method = "(stored)"
	}
	s.Protocol, s.URI = value(c.text()), value(c.text())
	s.RemoteAddr, s.RemoteHost, s.ServerName = c.text(), c.text(), c.text()
	s.ServerPort = strconv.Itoa(c.number())
	s.IsSSL = int(c.byte())
	for n := c.number(); n > 0 && c.err == nil; n-- {
		name := ""
		if len(c.b) > 1 && c.b[0] == 0xA0 {
			if code := c.number() - 0xA001; code >= 0 && code < len(ajpHeaders) {
				name = ajpHeaders[code]
			}
		} else {
			name = value(c.text())
		}
		s.Headers = append(s.Headers, [2]string{name, value(c.text())})
	}
	for c.err == nil {
		code := c.byte()
		if code == 0xFF {
			break
		}
		name := ajpAttributes[code]
		switch name {
		case "req_attribute":
			s.Attributes = append(s.Attributes, []string{name, value(c.text()), value(c.text())})
		case "ssl_key_size":
			s.Attributes = append(s.Attributes, []string{name, strconv.Itoa(c.number())})
		default:
			s.Attributes = append(s.Attributes, []string{name, value(c.text())})
		}
	}
	s.Trailing = len(c.b)
	return s, c.err
}

func readAJP(r io.Reader) ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	if h[0] != 0x12 || h[1] != 0x34 {
		return nil, errors.New("wrong magic bytes")
	}
	p := make([]byte, binary.BigEndian.Uint16(h[2:]))
	_, err := io.ReadFull(r, p)
	return p, err
}

func sendAJP(w io.Writer, payload ...byte) error {
	p := append([]byte{0x41, 0x42, byte(len(payload) >> 8), byte(len(payload))}, payload...)
	_, err := w.Write(p)
	return err
}

func (b *ajpBackend) serve(c net.Conn, number int) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		p, err := readAJP(r)
		if err != nil || len(p) == 0 {
			return
		}
		n := b.now()
		if p[0] == 0x0A {
			b.log.add(&seen{Member: b.name, Conn: number, Packet: "CPING"})
			switch n.Mode {
			case "nopong":
			case "badpong":
				sendAJP(c, 4)
			default:
				sendAJP(c, 9)
			}
			continue
		}
		s, err := b.request(p, number)
		if err != nil {
			b.log.add(&seen{Member: b.name, Conn: number, Packet: "broken: " + err.Error()})
			return
		}
		if !b.body(c, r, s) {
			return // recorded is what came whole
		}
		b.log.add(s)
		n.wait()
		if !b.answer(c, s, &n) {
			return
		}
	}
}

// body takes the request's body: what Content-Length announces, or of a chunked
// one everything up to the empty packet.
func (b *ajpBackend) body(c net.Conn, r io.Reader, s *seen) bool {
	length, chunked := 0, false
	for _, h := range s.Headers {
		switch strings.ToLower(h[0]) {
		case "content-length":
			length, _ = strconv.Atoi(h[1])
		case "transfer-encoding":
			chunked = true
		}
	}
	asked := !chunked // the first packet of a body of known length comes unasked
	for total := 0; chunked || total < length; {
		if !asked && sendAJP(c, 6, 8186>>8, 8186&255) != nil {
			return false
		}
		asked = false
		p, err := readAJP(r)
		if err != nil {
			return false
		}
		data := p
		if len(p) >= 2 {
			data = p[2:]
		}
		total += len(data)
		s.Chunks = append(s.Chunks, len(data))
		s.Body += string(data)
		if chunked {
			s.LastPacket = hex.EncodeToString(append([]byte{0x12, 0x34, byte(len(p) >> 8), byte(len(p))}, p...))
		}
		if len(data) == 0 {
			return true
		}
	}
	return true
}

func ajpText(b []byte, s string) []byte {
	b = append(b, byte(len(s)>>8), byte(len(s)))
	return append(append(b, s...), 0)
}

func ajpHead(n *behaviour) []byte {
	status, reason := n.line()
	b := ajpText([]byte{4, byte(status >> 8), byte(status)}, reason)
	b = append(b, 0, byte(len(n.Headers)+1))
	for i, h := range append([][2]string{{"Content-Type", "text/plain"}}, n.Headers...) {
		code := byte(0)
		for j, name := range ajpAnswerHeaders {
			if strings.EqualFold(name, h[0]) {
				code = byte(j + 1)
			}
		}
		if code > 0 || i == 0 {
			b = append(b, 0xA0, code)
		} else {
			b = ajpText(b, h[0])
		}
		b = ajpText(b, h[1])
	}
	return b
}

func ajpData(text string, length int) []byte {
	b := append([]byte{3, byte(length >> 8), byte(length)}, text...)
	return append(b, 0)
}

// answer answers and reports whether the connection goes on.
func (b *ajpBackend) answer(c net.Conn, s *seen, n *behaviour) bool {
	text := b.name + " " + s.Method + " " + s.URI + "\n"
	if n.Body != nil {
		text = *n.Body
	} else if n.Size > 0 {
		text = strings.Repeat("z", n.Size)
	}
	head, data := ajpHead(n), ajpData(text, len(text))
	reuse := byte(1)
	if n.NoReuse {
		reuse = 0
	}
	send := func(list ...[]byte) bool {
		for _, p := range list {
			if sendAJP(c, p...) != nil {
				return false
			}
		}
		return true
	}
	end := []byte{5, reuse}
	switch n.Mode {
	case "close":
		return false
	case "hang":
		hang(c)
		return false
	case "hdrclose":
		send(head)
		return false
	case "partial":
		send(head, data)
		return false
	case "noend":
		send(head, data)
		hang(c)
		return false
	case "noheaders":
		return send(end)
	case "twice":
		return send(head, head, data, end)
	case "bodyfirst":
		return send(data, head, end)
	case "badchunk":
		return send(head, ajpData(text, len(text)+5), end)
	case "flush":
		return send(head, data, ajpData("", 0), end)
	case "raw":
		for _, h := range n.Packets {
			if p, err := hex.DecodeString(h); err != nil || sendAJP(c, p...) != nil {
				return false
			}
		}
		return true
	}
	if s.Method == "HEAD" || n.Status == 304 || n.Status == 204 {
		return send(head, end)
	}
	return send(head, data, end) && !n.CloseAfter
}
