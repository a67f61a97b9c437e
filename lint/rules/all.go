// Package rules holds the rules of clowder lint, one file per rule or tight
// family. A rule is a documented value and one line in [All].
package rules

import "clowder/lint"

// All is the table of rules in the order of their IDs.
var All = append([]*lint.Rule{
	httpdSyntax,
	unknownDirective,
	directiveModuleNotLoaded,
	directiveNotAllowedHere,
	unknownWorkerParameter,
	unknownBalancerParameter,
	badParameterValue,
	includeNotFound,
	slotmemModuleMissing,
	lbmethodNotAvailable,
	proxypassShadowsHandler,
	routeWithoutStickysession,
	balancerManagerOpen,
	allowListWithoutDeny,
	xmlSyntax,
	unknownElement,
	unknownAttribute,
	classRemoved,
	classUnknown,
	badValue,
	elementMisplaced,
	undefinedProperty,
	portTwiceInFile,
	defaultShutdownCommand,
	shutdownPortReachable,
	redirectPortUnused,
	mcastAddressNotMulticast,
	defaultMcastGroup,
	domainWithoutFilter,
	dropTimeTooShort,
	staticMemberUniqueID,
	staticServiceStartOptions,
	staticBeforeDetector,
	staticWithoutPing,
	mcastStillOn,
	mcastTTLZero,
	receiverAddressAuto,
	autoBindOne,
	encryptAfterDetector,
	encryptKeyBad,
	clusterNotEncrypted,
	asyncReplication,
	ajpSecretRequired,
	memberWithoutConnector,
	memberProtocolMismatch,
	routeJVMRouteMismatch,
	routeWithoutJVMRoute,
	jvmRouteWithoutRoute,
	duplicateJVMRoute,
	noStickiness,
	receiverPortShared,
	shutdownPortShared,
	connectorPortShared,
}, lint.Meta()...)

// Explain returns the documentation of the rule with that ID or name, or the
// nearest name and false.
func Explain(ref string, f lint.Format) (string, bool) { return lint.Explain(All, ref, f) }

var (
	everyHTTPD  = lint.Versions{Text: "httpd 2.2 2.4"}
	everyTomcat = lint.Versions{Text: "Tomcat 7 8.5 9 10.1 11"}
	everyBoth   = lint.Versions{Text: "httpd 2.2 2.4; Tomcat 7 8.5 9 10.1 11"}
)
