package tribes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectors = "../../testdata/vectors/tribes"

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectors, name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors reads every recorded datagram and frame and writes it again.
func TestVectors(t *testing.T) {
	files, _ := filepath.Glob(vectors + "/*.bin")
	if len(files) < 60 {
		t.Fatalf("only %d vectors", len(files))
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".bin")
		b := vector(t, name)
		if strings.HasPrefix(name, "membership-") {
			m, n, err := ParseMember(b)
			if err != nil || n != len(b) || !bytes.Equal(AppendMember(nil, m), b) {
				t.Errorf("%s: %v, length %d: not the same bytes again", name, err, n)
			}
			if m.Leaving() != strings.Contains(name, "leave") {
				t.Errorf("%s: leaving %v", name, m.Leaving())
			}
			continue
		}
		r := NewFrameReader(bytes.NewReader(b), 0)
		data, err := r.Next()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "ack" || name == "fail-ack" {
			continue
		}
		e, err := ParseEnvelope(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(AppendFrame(nil, e.Append(nil)), b) {
			t.Errorf("%s: not the same bytes again", name)
		}
		checkHeader(t, name, e)
	}
}

func checkHeader(t *testing.T, name string, e *Envelope) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectors, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var j struct {
		Decoded struct {
			Header struct {
				Options   int
				Timestamp int64
				UniqueID  string
				Address   struct {
					AliveTime int64
					Port      int
					UniqueID  string
					Domain    string
				}
				MessageLength int
			}
		}
	}
	if err := json.Unmarshal(text, &j); err != nil {
		t.Fatal(err)
	}
	h := j.Decoded.Header
	if int(e.Options) != h.Options || e.Timestamp != h.Timestamp || hex.EncodeToString(e.UniqueID) != h.UniqueID ||
		e.From.Alive != h.Address.AliveTime || e.From.Port != h.Address.Port || hex.EncodeToString(e.From.UniqueID[:]) != h.Address.UniqueID ||
		string(e.From.Domain) != h.Address.Domain || len(e.Data) != h.MessageLength {
		t.Errorf("%s: header %+v, want %+v", name, e, h)
	}
}

// TestConstants compares the messages that never change with recorded ones.
func TestConstants(t *testing.T) {
	body := func(name string) []byte {
		data, err := NewFrameReader(bytes.NewReader(vector(t, name)), 0).Next()
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseEnvelope(data)
		if err != nil {
			t.Fatal(err)
		}
		return e.Data
	}
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{"ack", ackFrame, vector(t, "ack")},
		{"fail ack", failAckFrame, vector(t, "fail-ack")},
		{"probe", probeData, body("tcp-failure-detector-test")},
		{"probe of Tomcat 9", probeData, body("tcp-failure-detector-test-tomcat9")},
		{"static start", staticStart, body("static-member-start")},
		{"static stop", staticStop, body("static-member-stop")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: %x, want %x", c.name, c.got, c.want)
		}
	}
	if len(pingData) != 64 {
		t.Errorf("ping has %d bytes", len(pingData))
	}
}

func TestMemberName(t *testing.T) {
	m, _, err := ParseMember(vector(t, "membership-heartbeat-domain-ports"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Name() != "tcp://{127, 0, 0, 1}:4000" || m.SecurePort != 4443 || m.UDPPort != 4500 || string(m.Domain) != "clowder-lab" || m.Alive != 1009 {
		t.Errorf("%+v %s", m, m.Name())
	}
	o := m
	o.Alive, o.Domain = 1, nil
	if !m.Same(o) {
		t.Error("alive time and domain are not part of the identity")
	}
	o.UniqueID[3]++
	if m.Same(o) {
		t.Error("a restarted member is another member")
	}
}

func TestParseSendOptions(t *testing.T) {
	for in, want := range map[string]SendOptions{"8": 8, "asynchronous,use_ack": 10, "sync, use_ack": 6, "byte_message": 1, "SYNCHRONIZED_ACK": 4, "udp,multicast,secure": 112} {
		if got, err := ParseSendOptions(in); err != nil || got != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	if _, err := ParseSendOptions("fast"); err == nil {
		t.Error("an unknown name was taken")
	}
}

func TestParseBytes(t *testing.T) {
	got, err := ParseBytes("{1,2, -3}")
	if err != nil || !bytes.Equal(got, []byte{1, 2, 253}) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := ParseBytes("{1,200}"); err == nil {
		t.Error("200 is not a signed byte")
	}
	if got, _ := ParseBytes("dé"); !bytes.Equal(got, []byte{'d', 0xe9}) {
		t.Errorf("%x", got)
	}
}

func TestFrameReaderRefuses(t *testing.T) {
	huge := "FLT2002\x0f\xff\xff\xff" + strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"no start marker":  {"GET / HTTP/1.1\r\n\r\n", ErrFrame},
		"negative length":  {"FLT2002\xff\xff\xff\xff", ErrFrame},
		"over the limit":   {"FLT2002\x7f\xff\xff\xff", ErrFrame},
		"no end marker":    {"FLT2002\x00\x00\x00\x01xTLF2004", ErrFrame},
		"cut in the data":  {huge, io.ErrUnexpectedEOF},
		"nothing":          {"", io.EOF},
		"cut in the front": {"FLT", io.ErrUnexpectedEOF},
	} {
		r := NewFrameReader(strings.NewReader(c.in), 0)
		if _, err := r.Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if cap(r.buf) > 64<<10 {
			t.Errorf("%s: %d bytes allocated for what was announced only", name, cap(r.buf))
		}
	}
}

func FuzzParseMember(f *testing.F) {
	f.Add(vector(f, "membership-heartbeat-s1"))
	f.Add(vector(f, "membership-leave-s2"))
	f.Add(vector(f, "membership-heartbeat-domain-ports"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseMember(b)
		if err == nil && !bytes.Equal(AppendMember(nil, m), b[:n]) {
			t.Errorf("%x is written differently", b[:n])
		}
	})
}

func FuzzFrameReader(f *testing.F) {
	f.Add(vector(f, "session-delta-first"))
	f.Add(append(vector(f, "static-member-start"), vector(f, "ack")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewFrameReader(bytes.NewReader(b), 1<<20)
		for {
			data, err := r.Next()
			if err != nil {
				return
			}
			if e, err := ParseEnvelope(data); err == nil && !bytes.Equal(e.Append(nil), data) {
				t.Errorf("%x is written differently", data)
			}
		}
	})
}
