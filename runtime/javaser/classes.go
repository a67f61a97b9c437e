package javaser

// Descriptors of the Java classes that have a Go form, with the
// serialVersionUIDs of the Java class library.
var (
	classNumber = &Class{Name: "java.lang.Number", UID: -8742448824652078965, Flags: FlagSerializable}
	classEnum   = &Class{Name: "java.lang.Enum", Flags: FlagSerializable | FlagEnum}

	classInteger = number("java.lang.Integer", 1360826667806852920, 'I')
	classLong    = number("java.lang.Long", 4290774380558885855, 'J')
	classShort   = number("java.lang.Short", 7515723908773894738, 'S')
	classByte    = number("java.lang.Byte", -7183698231559129828, 'B')
	classDouble  = number("java.lang.Double", -9172774392245257468, 'D')
	classFloat   = number("java.lang.Float", -2671257302660747028, 'F')

	classBoolean   = plain("java.lang.Boolean", -3665804199014368530, Field{Type: 'Z', Name: "value"})
	classCharacter = plain("java.lang.Character", 3786198910865385080, Field{Type: 'C', Name: "value"})
	classUUID      = plain("java.util.UUID", -4856846361193249489,
		Field{Type: 'J', Name: "leastSigBits"}, Field{Type: 'J', Name: "mostSigBits"})

	classBytes   = plain("[B", -5984413125824719648)
	classInts    = plain("[I", 5600894804908749477)
	classStrings = plain("[Ljava.lang.String;", -5921575005990323385)
	classObjects = plain("[Ljava.lang.Object;", -8012369246846506644)

	classDate       = custom("java.util.Date", 7523967970034938905, nil)
	classArrayList  = custom("java.util.ArrayList", 8683452581122892189, nil, Field{Type: 'I', Name: "size"})
	classHashSet    = custom("java.util.HashSet", -5024744406713321676, nil)
	classHashMap    = custom("java.util.HashMap", 362498820763181265, nil, Field{Type: 'F', Name: "loadFactor"}, Field{Type: 'I', Name: "threshold"})
	classLinkedMap  = &Class{Name: "java.util.LinkedHashMap", UID: 3801124242820219131, Flags: FlagSerializable, Fields: []Field{{Type: 'Z', Name: "accessOrder"}}, Super: classHashMap}
	classBigInteger = custom("java.math.BigInteger", -8287574255936472291, classNumber,
		Field{Type: 'I', Name: "bitCount"}, Field{Type: 'I', Name: "bitLength"}, Field{Type: 'I', Name: "firstNonzeroByteNum"},
		Field{Type: 'I', Name: "lowestSetBit"}, Field{Type: 'I', Name: "signum"}, Field{Type: '[', Name: "magnitude", Sig: "[B"})
	classBigDecimal = custom("java.math.BigDecimal", 6108874887143696463, classNumber,
		Field{Type: 'I', Name: "scale"}, Field{Type: 'L', Name: "intVal", Sig: "Ljava/math/BigInteger;"})
)

func plain(name string, uid int64, fields ...Field) *Class {
	return &Class{Name: name, UID: uid, Flags: FlagSerializable, Fields: fields}
}

func number(name string, uid int64, kind byte) *Class {
	c := plain(name, uid, Field{Type: kind, Name: "value"})
	c.Super = classNumber
	return c
}

func custom(name string, uid int64, super *Class, fields ...Field) *Class {
	return &Class{Name: name, UID: uid, Flags: FlagSerializable | FlagWriteMethod, Fields: fields, Super: super}
}

// NewObject makes an instance of a Serializable class; values are the fields of
// the whole hierarchy, the topmost class first, each class in descriptor order.
func NewObject(c *Class, values ...any) *Object {
	o := &Object{Class: c}
	for _, k := range c.hierarchy() {
		n := min(len(k.Fields), len(values))
		o.Parts = append(o.Parts, Part{Class: k, Values: values[:n:n]})
		values = values[n:]
	}
	return o
}

// NewExternal makes an instance of an Externalizable class from what it wrote.
func NewExternal(c *Class, contents ...any) *Object {
	return &Object{Class: c, Parts: []Part{{Class: c, Extra: contents}}}
}

// NewBytes makes a byte[] node. It keeps b.
func NewBytes(b []byte) *Array { return &Array{Class: classBytes, Data: b} }
