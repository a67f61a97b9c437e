package httpd

import (
	"fmt"
	"unsafe"

	"clowder/parse/model"
)

// What a configuration of any size may take, in bytes of memory, and what it may
// take for each byte of its files: several times what files need that people or
// programs write. It bounds the memory that a hostile file can take.
const (
	freeBytes    = 20 << 20
	bytesPerByte = 14
)

// What files may cost that are included again, and uses of macros, in bytes read
// besides those in proportion to the files. It bounds the time.
const (
	freeReread    = 64 << 20
	rereadPerByte = 8
	freeReplay    = 256 << 20
	replayPerByte = 64
)

// earnedMost is how many bytes of files included again and of uses of macros
// count as bytes of files: thousands of virtual hosts made by one macro are an
// ordinary configuration, and its file is small.
const earnedMost = 4 << 20

// What things cost, with the pointers to them and the room that growing lists
// leave.
const (
	nodeBytes    = int(unsafe.Sizeof(Node{})) + 24
	sectionBytes = 2*nodeBytes + 64 // expanding copies it
	argBytes     = int(unsafe.Sizeof(Arg{}))
	madeBytes    = int(unsafe.Sizeof(made{}))
	segmentBytes = int(unsafe.Sizeof(segment{}))
	lineBytes    = 2 * int(unsafe.Sizeof(line{}))
)

// budget is what a configuration may still take.
type budget struct {
	left   int // bytes of memory
	replay int // bytes that uses of macros may read
	reread int // bytes that files included again may have

	rereadBytes int // bytes of files included again
	earned      int // bytes that counted as bytes of files, see [earnedMost]
	nodes       int // so many were made
	told        bool
}

func newBudget() *budget { return &budget{left: freeBytes, replay: freeReplay, reread: freeReread} }

// grow adds what a file of that many bytes may take.
func (b *budget) grow(size int) {
	b.left += size * bytesPerByte
	b.replay += size * replayPerByte
	b.reread += size * rereadPerByte
}

// take takes memory; false, without taking any, when it is not there.
func (b *budget) take(bytes int) bool {
	if bytes > b.left {
		return false
	}
	b.left -= bytes
	return true
}

// node takes one node.
func (b *budget) node() bool {
	b.nodes++
	return b.take(nodeBytes)
}

// again takes one more reading of a file of that size.
func (b *budget) again(size int) bool {
	if size > b.reread {
		return false
	}
	b.reread -= size
	b.rereadBytes += size
	b.earn(size)
	return true
}

// earn lets the text of an include or a macro count as that of a file.
func (b *budget) earn(size int) {
	size = min(size, earnedMost-b.earned)
	b.earned += size
	b.left += size * bytesPerByte
}

// use takes one use of a macro with that many bytes and arguments.
func (b *budget) use(size, args int) bool {
	cost := size * (4 + args)
	if cost > b.replay {
		return false
	}
	b.replay -= cost
	b.earn(2 * size) // the macro's lines, and what is made of them
	return true
}

// tooDense is the sentence for a budget that is used up.
func tooDense(b *budget) string {
	return fmt.Sprintf("the configuration has more than %d directives, or more words, than its size explains; what follows was not read", b.nodes-1)
}

// unmappedBytes is what an entry in the list of what the model does not hold
// costs, with what the list's readers keep of it.
const unmappedBytes = 2*int(unsafe.Sizeof(model.Unmapped{})) + 64

// What objects of the model cost, by the directive that makes them; members and
// balancers are counted where they are made.
var (
	serverBytes   = int(unsafe.Sizeof(model.Server{})) + 64
	memberBytes   = int(unsafe.Sizeof(model.Member{})) + 160
	balancerBytes = int(unsafe.Sizeof(model.Balancer{})) + 200
	valueBytes    = int(unsafe.Sizeof(model.String{}))

	objectBytes = func() map[string]int {
		section := int(unsafe.Sizeof(model.Section{})) + 16
		reverse := int(unsafe.Sizeof(model.Reverse{})) + 16
		header := int(unsafe.Sizeof(model.HeaderRule{})) + 16
		mapping := int(unsafe.Sizeof(model.Mapping{})) + 16
		redirect := int(unsafe.Sizeof(model.Redirect{})) + 16
		alias := int(unsafe.Sizeof(model.Alias{})) + 16
		require := int(unsafe.Sizeof(model.Require{})) + 16
		return map[string]int{
			"virtualhost": serverBytes,
			"location":    section, "locationmatch": section, "proxy": section, "proxymatch": section,
			"proxypass": mapping, "proxypassmatch": mapping, "proxypassreverse": reverse,
			"proxypassreversecookiepath": reverse, "proxypassreversecookiedomain": reverse,
			"header": header, "requestheader": header,
			"require": require, "requireall": require, "requireany": require, "requirenone": require,
			"rewriterule": int(unsafe.Sizeof(model.RewriteRule{})) + 16,
			"rewritecond": int(unsafe.Sizeof(model.RewriteCond{})) + 16,
			"customlog":   int(unsafe.Sizeof(model.Log{})) + 16, "logformat": int(unsafe.Sizeof(model.Log{})) + 16,
			"transferlog": int(unsafe.Sizeof(model.Log{})) + 16, "listen": int(unsafe.Sizeof(model.Listen{})) + 16,
			"loadmodule": int(unsafe.Sizeof(model.Module{})) + 16, "errordocument": int(unsafe.Sizeof(model.ErrorDoc{})) + 16,
			"serveralias": valueBytes, "allow": valueBytes, "deny": valueBytes,
			"setenv": int(unsafe.Sizeof(model.Env{})) + 16, "unsetenv": int(unsafe.Sizeof(model.Env{})) + 16,
			"setenvif": int(unsafe.Sizeof(model.Env{})) + 16, "setenvifnocase": int(unsafe.Sizeof(model.Env{})) + 16,
			"browsermatch": int(unsafe.Sizeof(model.Env{})) + 16, "browsermatchnocase": int(unsafe.Sizeof(model.Env{})) + 16,
			"redirect": redirect, "redirectmatch": redirect, "redirectpermanent": redirect, "redirecttemp": redirect,
			"alias": alias, "aliasmatch": alias, "scriptalias": alias, "scriptaliasmatch": alias,
			"proxyhctemplate": 256, "proxyhcexpr": 64, "authzprovideralias": 64,
		}
	}()
)

// severalValues are the directives of which the model holds each word by itself.
var severalValues = names(`ServerAlias Allow Deny SetEnv UnsetEnv SetEnvIf SetEnvIfNoCase BrowserMatch BrowserMatchNoCase Require RewriteOptions VirtualHost`)

// modelBytes is what the model holds of a directive or section, at most.
func modelBytes(n *Node) int {
	key := n.key()
	size := objectBytes[key]
	if severalValues[key] {
		size += len(n.Args) * valueBytes
	}
	return size
}
