package session

import (
	"errors"
	"fmt"

	"clowder/runtime/javaser"
)

// Event codes of a session message (ha/session/SessionMessage.java).
const (
	evCreated          = 1
	evExpired          = 2
	evAccessed         = 3
	evGetAll           = 4
	evAllData          = 12
	evDelta            = 13
	evTransferComplete = 14
	evChangeID         = 15
	evNoContext        = 16
)

const (
	nameSessionMessage = "org.apache.catalina.ha.session.SessionMessageImpl"
	nameRPC            = "org.apache.catalina.tribes.group.RpcMessage"
	stringSig          = "Ljava/lang/String;"
)

var (
	classClusterMessage = &javaser.Class{
		Name: "org.apache.catalina.ha.ClusterMessageBase", UID: 1, Flags: javaser.FlagSerializable,
		Fields: []javaser.Field{{Type: 'J', Name: "timestamp"}},
	}
	classSessionMessage = &javaser.Class{
		Name: nameSessionMessage, UID: 2, Flags: javaser.FlagSerializable, Super: classClusterMessage,
		Fields: []javaser.Field{
			{Type: 'I', Name: "mEvtType"}, {Type: 'J', Name: "serializationTimestamp"}, {Type: 'Z', Name: "timestampSet"},
			{Type: 'L', Name: "mContextName", Sig: stringSig}, {Type: '[', Name: "mSession", Sig: "[B"},
			{Type: 'L', Name: "mSessionID", Sig: stringSig}, {Type: 'L', Name: "uniqueId", Sig: stringSig},
		},
	}
	classRPC = &javaser.Class{
		Name: nameRPC, UID: 8154458786660410633, Flags: javaser.FlagExternalizable | javaser.FlagBlockData,
	}
	classNoRPC = &javaser.Class{
		Name: nameRPC + "$NoRpcChannelReply", UID: 8911374288427899814,
		Flags: javaser.FlagExternalizable | javaser.FlagBlockData, Super: classRPC,
	}
)

// message is a SessionMessageImpl.
type message struct {
	event    int32
	stamp    int64 // ms since 1970
	stampSet bool
	context  string
	anyCtx   bool // the context name was null: the message is for all managers
	data     []byte
	id       string // session id, or a fixed text
	unique   string
}

func (m *message) encode() ([]byte, error) {
	var data any
	if m.data != nil {
		data = javaser.NewBytes(m.data)
	}
	w := javaser.NewWriter()
	err := w.Object(javaser.NewObject(classSessionMessage, int64(0), m.event, m.stamp, m.stampSet, m.context, data, m.id, m.unique))
	return w.Bytes(), err
}

// messageOf reads the fields of a SessionMessageImpl by name, as Java does.
func messageOf(o *javaser.Object) (*message, error) {
	m := &message{}
	var ok bool
	v, _ := o.Field("mEvtType")
	if m.event, ok = v.(int32); !ok {
		return nil, errors.New("session message without a type")
	}
	v, _ = o.Field("serializationTimestamp")
	m.stamp, _ = v.(int64)
	v, _ = o.Field("timestampSet")
	m.stampSet, _ = v.(bool)
	text := func(name string) (string, bool) {
		v, _ := o.Field(name)
		s, ok := v.(*javaser.String)
		if !ok {
			return "", false
		}
		return s.S, true
	}
	m.context, ok = text("mContextName")
	m.anyCtx = !ok
	m.id, _ = text("mSessionID")
	m.unique, _ = text("uniqueId")
	v, _ = o.Field("mSession")
	if a, ok := v.(*javaser.Array); ok {
		m.data = a.Data
	}
	return m, nil
}

// Types and kinds of a delta's actions (ha/session/DeltaRequest.java).
const (
	typeAttribute   = 0
	typePrincipal   = 1
	typeIsNew       = 2
	typeMaxInterval = 3
	typeAuthType    = 4
	typeListener    = 5
	typeNote        = 6

	actionSet    = 0
	actionRemove = 1

	nameIsNew       = "__SET__ISNEW__"
	nameMaxInterval = "__SET__MAXINTERVAL__"
)

// action is one change of a session; value is frozen.
type action struct {
	kind, act int32
	name      string
	has       bool
	value     any
}

func encodeDelta(id string, recordAll bool, actions []action) ([]byte, error) {
	w := javaser.NewWriter()
	if err := w.UTF(id); err != nil {
		return nil, err
	}
	w.Bool(recordAll)
	w.Int32(int32(len(actions)))
	for _, a := range actions {
		w.Int32(a.kind)
		w.Int32(a.act)
		if err := w.UTF(a.name); err != nil {
			return nil, err
		}
		w.Bool(a.has)
		if a.has {
			if err := w.Object(a.value); err != nil {
				return nil, fmt.Errorf("%q: %w", a.name, err)
			}
		}
	}
	return w.Bytes(), nil
}

func decodeDelta(data []byte) (id string, recordAll bool, actions []action, err error) {
	r := javaser.NewReader(data)
	id, recordAll = r.UTF(), r.Bool()
	n := int(r.Int32())
	for i := 0; i < n && r.Err() == nil; i++ {
		a := action{kind: r.Int32(), act: r.Int32(), name: r.UTF(), has: r.Bool()}
		if a.has {
			a.value = r.Node()
		}
		actions = append(actions, a)
	}
	return id, recordAll, actions, r.Err()
}

// record is the full state of one session; values are frozen.
type record struct {
	created, lastAccessed int64
	maxInactive           int32
	isNew, valid          bool
	thisAccessed, version int64
	principal             any
	id                    string
	notes                 bool // items 11 and 12 are there
	noteID, noteForm      any
	names                 []string
	values                []any
	listeners             []any
}

func encodeState(records []record) ([]byte, error) {
	w := javaser.NewWriter()
	if err := w.Object(int32(len(records))); err != nil {
		return nil, err
	}
	for i := range records {
		if err := records[i].write(w); err != nil {
			return nil, fmt.Errorf("session %s: %w", records[i].id, err)
		}
	}
	return w.Bytes(), nil
}

func (c *record) write(w *javaser.Writer) error {
	var errs []error
	put := func(values ...any) {
		for _, v := range values {
			if err := w.Object(v); err != nil {
				errs = append(errs, err)
			}
		}
	}
	put(c.created, c.lastAccessed, c.maxInactive, c.isNew, c.valid, c.thisAccessed, c.version)
	w.Bool(c.principal != nil)
	if c.principal != nil {
		put(c.principal)
	}
	put(c.id)
	if c.notes {
		put(c.noteID, c.noteForm)
	}
	put(int32(len(c.names)))
	for i, n := range c.names {
		put(n, c.values[i])
	}
	put(int32(len(c.listeners)))
	put(c.listeners...)
	return errors.Join(errs...)
}

func decodeState(data []byte) ([]record, error) {
	r := javaser.NewReader(data)
	n, _ := r.Object().(int32)
	var out []record
	for i := int32(0); i < n && r.Err() == nil; i++ {
		c, err := readRecord(r)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, r.Err()
}

func boxed[T any](r *javaser.Reader, bad *bool) T {
	v, ok := r.Object().(T)
	if !ok {
		*bad = true
	}
	return v
}

func readRecord(r *javaser.Reader) (record, error) {
	var c record
	var bad bool
	c.created, c.lastAccessed = boxed[int64](r, &bad), boxed[int64](r, &bad)
	c.maxInactive = boxed[int32](r, &bad)
	c.isNew, c.valid = boxed[bool](r, &bad), boxed[bool](r, &bad)
	c.thisAccessed, c.version = boxed[int64](r, &bad), boxed[int64](r, &bad)
	if r.Bool() {
		c.principal = r.Node()
	}
	c.id = boxed[string](r, &bad)
	next := r.Node()
	count, ok := javaser.Thaw(next).(int32)
	if !ok {
		c.notes, c.noteID, c.noteForm = true, next, r.Node()
		count = boxed[int32](r, &bad)
	}
	for i := int32(0); i < count && r.Err() == nil && !bad; i++ {
		c.names = append(c.names, boxed[string](r, &bad))
		c.values = append(c.values, r.Node())
	}
	count = boxed[int32](r, &bad)
	for i := int32(0); i < count && r.Err() == nil && !bad; i++ {
		c.listeners = append(c.listeners, r.Node())
	}
	if r.Err() == nil && bad {
		return c, errors.New("session state with a value of the wrong type")
	}
	return c, r.Err()
}

// rpc reads what RpcMessage.writeExternal wrote; ok is false for anything else.
func rpc(o *javaser.Object) (reply bool, uuid, rpcID []byte, ok bool) {
	if o.Class.Name != nameRPC || len(o.Parts) != 1 || len(o.Parts[0].Extra) == 0 {
		return
	}
	b, _ := o.Parts[0].Extra[0].(javaser.Block)
	w := javaser.NewWriter()
	w.Raw(b)
	r := javaser.NewReader(w.Bytes())
	reply = r.Bool()
	uuid = r.Bytes(int(r.Int32()))
	rpcID = r.Bytes(int(r.Int32()))
	return reply, uuid, rpcID, r.Err() == nil
}

// noRPCReply is the answer of a member that has no RPC channel of that name.
func noRPCReply(uuid, rpcID []byte) ([]byte, error) {
	w := javaser.NewWriter()
	var b javaser.Block
	for _, p := range [][]byte{uuid, rpcID} {
		n := len(p)
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		b = append(b, p...)
	}
	err := w.Object(javaser.NewExternal(classNoRPC, b))
	return w.Bytes(), err
}

func encodeID(id string) ([]byte, error) {
	w := javaser.NewWriter()
	err := w.UTF(id)
	return w.Bytes(), err
}
