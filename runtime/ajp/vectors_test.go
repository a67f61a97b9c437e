package ajp

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/runtime/exchange"
)

const vectors = "../../testdata/vectors/httpd/ajp"

type capture struct {
	Connections []struct {
		Files   map[string]string
		Packets []packet
	}
}

type packet struct {
	Direction, Event, Type, Method, URI, Protocol string
	Offset, Length, Status, Reuse, Requested      int
	RemoteAddr                                    string  `json:"remote_addr"`
	RemoteHost                                    *string `json:"remote_host"`
	ServerName                                    string  `json:"server_name"`
	ServerPort                                    int     `json:"server_port"`
	IsSSL                                         int     `json:"is_ssl"`
	DataLength                                    int     `json:"data_length"`
	Message                                       string
	Headers                                       []json.RawMessage
	Attributes                                    [][]string
}

// want makes the request that the capture's own decoding describes.
func (p *packet) want(t *testing.T) *Request {
	r := &Request{Method: p.Method, Protocol: p.Protocol, URI: p.URI, RemoteAddr: p.RemoteAddr,
		ServerName: p.ServerName, ServerPort: p.ServerPort, TLS: p.IsSSL != 0}
	if p.RemoteHost != nil {
		r.RemoteHost = *p.RemoteHost
	}
	for _, raw := range p.Headers {
		var f [2]string
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatal(err)
		}
		r.Header.Add(f[0], f[1])
	}
	for _, a := range p.Attributes {
		switch a[0] {
		case "secret":
			r.Secret = a[1]
		case "stored_method":
			r.Method = a[1]
		case "auth_type":
			r.AuthType = a[1]
		case "remote_user":
			r.RemoteUser = a[1]
		case "query_string":
			r.Query, r.HasQuery = a[1], true
		case "jvm_route":
			r.JVMRoute = a[1]
		case "req_attribute":
			d := &decoder{b: appendReqAttr(nil, a[1], a[2])[1:]}
			decodeReqAttribute(d, r)
		default:
			t.Fatalf("attribute %s", a[0])
		}
	}
	return r
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".json"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var c capture
			if err := json.Unmarshal(b, &c); err != nil {
				t.Fatal(err)
			}
			for _, conn := range c.Connections {
				streams := map[string][]byte{}
				for dir, name := range conn.Files {
					if streams[dir], err = os.ReadFile(filepath.Join(vectors, name)); err != nil {
						t.Fatal(err)
					}
				}
				for _, p := range conn.Packets {
					if p.Event == "" {
						checkPacket(t, p, streams[p.Direction][p.Offset:p.Offset+p.Length])
					}
				}
			}
		})
	}
}

func checkPacket(t *testing.T, p packet, raw []byte) {
	t.Helper()
	pay, rest, err := Decode(raw, p.Direction == "to_backend")
	if err != nil || len(rest) != 0 {
		t.Fatalf("%s: %v, %d bytes left", p.Type, err, len(rest))
	}
	var again []byte
	switch p.Type {
	case "FORWARD_REQUEST":
		if again, err = AppendRequest(nil, p.want(t), MaxPacketSize); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("from the description: %v\n% x\n% x", err, again, raw)
		}
		r, e := DecodeRequest(pay)
		if e != nil {
			t.Fatal(e)
		}
		again, err = AppendRequest(nil, r, MaxPacketSize)
	case "BODY_CHUNK":
		data, e := DecodeBody(pay)
		if e != nil || len(data) != p.DataLength {
			t.Fatal(len(data), e)
		}
		again = AppendBody(nil, data)
	case "CPING":
		again = AppendPing(nil)
	case "CPONG":
		again = AppendPong(nil)
	case "SEND_HEADERS":
		st, reason, h, e := DecodeHeaders(pay)
		if e != nil || st != p.Status || reason != p.Message || len(h) != len(p.Headers) {
			t.Fatal(st, reason, h, e)
		}
		again, err = AppendHeaders(nil, st, reason, h, MaxPacketSize)
	case "SEND_BODY_CHUNK":
		data, e := DecodeSendBody(pay)
		if e != nil || len(data) != p.DataLength {
			t.Fatal(len(data), e)
		}
		again = AppendSendBody(nil, data)
	case "END_RESPONSE":
		again = AppendEnd(nil, p.Reuse == 1)
	case "GET_BODY_CHUNK":
		again = AppendGetBody(nil, p.Requested)
	default:
		t.Fatalf("type %s", p.Type)
	}
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("%s: %v\n% x\n% x", p.Type, err, again, raw)
	}
}

func TestMethodsAndHeaders(t *testing.T) {
	for i, m := range methods {
		b, err := AppendRequest(nil, &Request{Method: m, URI: "/"}, MinPacketSize)
		if err != nil {
			t.Fatal(err)
		}
		want := byte(i + 1)
		if m == "ACL" || m == "SEARCH" {
			want = methodStored
		}
		if b[5] != want {
			t.Errorf("%s: code %d, want %d", m, b[5], want)
		}
		b[5] = byte(i + 1)
		if r, err := DecodeRequest(b[4:]); err != nil || r.Method != m {
			t.Errorf("%d: %v %v", i+1, r, err)
		}
	}
	var h exchange.Header
	for _, n := range requestHeaders {
		if n != "content-length" {
			h.Add(strings.ToUpper(n), "v")
		}
	}
	b, _ := AppendRequest(nil, &Request{Method: "GET", URI: "/", Header: h}, MinPacketSize)
	r, err := DecodeRequest(b[4:])
	if err != nil || len(r.Header) != len(h) || r.Header[9].Name != "host" {
		t.Fatal(r, err)
	}
}

func TestTooLarge(t *testing.T) {
	big := strings.Repeat("x", 70000)
	for name, r := range map[string]*Request{
		"uri": {Method: "GET", URI: "/" + big}, "query": {Method: "GET", URI: "/", Query: big},
		"header":    {Method: "GET", URI: "/", Header: exchange.Header{{Name: "X", Value: big}}},
		"secret":    {Method: "GET", URI: "/", Secret: big},
		"attribute": {Method: "GET", URI: "/", Attributes: []Attribute{{"a", big}}},
		"method":    {Method: big, URI: "/"},
		"just":      {Method: "GET", URI: "/" + big[:MinPacketSize-26]},
	} {
		if b, err := AppendRequest(nil, r, MinPacketSize); err == nil || len(b) != 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	b, _ := AppendRequest(nil, &Request{Method: "PATCH", URI: "/a;x=1", Query: "q", TLS: true,
		SSL: SSL{Cert: "c", KeySize: 128, Protocol: "TLSv1.3"}, Secret: "s", RemotePort: 7,
		Header: exchange.Header{{Name: "Host", Value: "h"}, {Name: "X", Value: ""}}}, MinPacketSize)
	f.Add(b[4:])
	f.Add([]byte{2, 2, 0xFF, 0xFF, 0, 0, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := DecodeRequest(p)
		if err != nil {
			return
		}
		one, err := AppendRequest(nil, r, MaxPacketSize)
		if err != nil {
			return
		}
		r2, err := DecodeRequest(one[4:])
		if err != nil {
			t.Fatalf("%v of %x", err, one)
		}
		if two, err := AppendRequest(nil, r2, MaxPacketSize); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%v\n%x\n%x", err, one, two)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	b, _ := AppendHeaders(nil, 200, "200", exchange.Header{{Name: "Location", Value: "/"}}, MinPacketSize)
	f.Add(b)
	f.Add(AppendEnd(AppendSendBody(nil, []byte("abc")), true))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, dir := range []bool{true, false} {
			for rest := b; len(rest) > 0; {
				var p []byte
				var err error
				if p, rest, err = Decode(rest, dir); err != nil {
					break
				}
				DecodeHeaders(p)
				DecodeSendBody(p)
				DecodeBody(p)
			}
		}
	})
}
