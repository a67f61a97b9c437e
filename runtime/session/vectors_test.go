package session

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/runtime/javaser"
)

const vectors = "../../testdata/vectors/tribes"

// body cuts the message bytes out of a recorded frame.
func body(t testing.TB, name string) []byte {
	frame, err := os.ReadFile(filepath.Join(vectors, name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	b := frame[11+4+8+4+16:]
	b = b[4+binary.BigEndian.Uint32(b):]
	return b[4 : 4+binary.BigEndian.Uint32(b)]
}

func object(t testing.TB, data []byte) *javaser.Object {
	r := javaser.NewReader(data)
	o, ok := r.Node().(*javaser.Object)
	if r.Err() != nil || !ok {
		t.Fatalf("no object: %v", r.Err())
	}
	return o
}

// Every recorded session message, decoded to its fields and encoded from them, is what it was.
func TestVectorsEncoded(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(vectors, "*.json"))
	n := 0
	for _, f := range files {
		var want struct {
			Decoded struct {
				Body struct {
					Kind, ContextName, SessionID, UniqueID string
					EventType                              int32
					SerializationTimestamp                 int64
					TimestampSet                           bool
				}
			}
		}
		text, _ := os.ReadFile(f)
		if json.Unmarshal(text, &want) != nil || want.Decoded.Body.Kind != "SessionMessageImpl" {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if strings.HasPrefix(name, "encrypted") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			data := body(t, name)
			m, err := messageOf(object(t, data))
			if err != nil {
				t.Fatal(err)
			}
			w := want.Decoded.Body
			if m.event != w.EventType || m.context != w.ContextName || m.id != w.SessionID || m.unique != w.UniqueID ||
				m.stamp != w.SerializationTimestamp || m.stampSet != w.TimestampSet {
				t.Errorf("got %+v, want %+v", m, w)
			}
			reencodeInner(t, m)
			got, err := m.encode()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("encoded differently (%v):\n got %x\nwant %x", err, got, data)
			}
		})
	}
	if n < 25 {
		t.Errorf("only %d vectors", n)
	}
}

func reencodeInner(t *testing.T, m *message) {
	switch m.event {
	case evDelta:
		id, all, actions, err := decodeDelta(m.data)
		if err != nil {
			t.Fatal(err)
		}
		if m.data, err = encodeDelta(id, all, actions); err != nil {
			t.Fatal(err)
		}
	case evChangeID:
		r := javaser.NewReader(m.data)
		data, err := encodeID(r.UTF())
		if err != nil {
			t.Fatal(err)
		}
		m.data = data
	case evAllData:
		records, err := decodeState(m.data)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range records {
			if c.id == "" || !c.valid || c.created == 0 {
				t.Errorf("session %d: %+v", i, c)
			}
		}
		// Which equal small numbers were one object cannot be derived from the values; the rest can.
		data, err := encodeState(records)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeState(data)
		if err != nil || len(again) != len(records) {
			t.Errorf("own state cannot be read: %v", err)
		}
	}
}

func TestDeltaFromGoValues(t *testing.T) {
	m, err := messageOf(object(t, body(t, "session-delta-first")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := encodeDelta(m.id, false, []action{
		{kind: typeIsNew, name: nameIsNew, has: true, value: true},
		{kind: typeMaxInterval, name: nameMaxInterval, has: true, value: int32(1800)},
		{kind: typeAttribute, name: "tambah", has: true, value: int32(1)},
	})
	if err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("%v\n got %x\nwant %x", err, got, m.data)
	}
}

func TestStateFromGoValues(t *testing.T) {
	m, err := messageOf(object(t, body(t, "all-session-data-empty")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := encodeState(nil); err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("%v\n got %x\nwant %x", err, got, m.data)
	}
	m, err = messageOf(object(t, body(t, "all-session-data-one-tomcat9")))
	if err != nil {
		t.Fatal(err)
	}
	records, err := decodeState(m.data)
	if err != nil || len(records) != 1 || records[0].notes {
		t.Fatal(records, err)
	}
}

func TestNoRPCReplyVector(t *testing.T) {
	want := body(t, "no-rpc-channel-reply")
	reply, uuid, id, ok := rpc(object(t, body(t, "map-init-request")))
	if reply || !ok || string(id) != "localhost#/app-map" || len(uuid) != 16 {
		t.Fatal(reply, uuid, id, ok)
	}
	uuid = []byte("\xba\xe8\xe9\x00\xac\x15\x4a\xa1\x93\x16\xe9\xa8\x66\xd9\xb5\x89")
	if got, err := noRPCReply(uuid, id); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %x\nwant %x", err, got, want)
	}
}
