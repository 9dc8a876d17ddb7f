package bridge

import "maunium.net/go/mautrix/bridgev2"

// networkName is what the framework calls the network, and what its example configuration is made of.
var networkName = bridgev2.BridgeName{
	DisplayName:          service,
	NetworkURL:           "https://" + homeDomain,
	NetworkID:            "messenger",
	BeeperBridgeType:     "matrix-messenger",
	DefaultPort:          29390,
	DefaultCommandPrefix: "!messenger",
}

// GetName implements bridgev2.NetworkConnector. It is called before there is a configuration.
func (c *Connector) GetName() bridgev2.BridgeName {
	name := networkName
	if c.Config.Domain == "" {
		// The example configuration is being made of it. Nothing at all would be a null there, which the framework complains about at every start.
		name.NetworkIcon = `""`
	}
	if c.Config.Domain != "" && c.Config.Domain != homeDomain {
		name.NetworkURL = "https://" + c.Config.Domain
	}
	return name
}

// Versions of what rooms carry about the bridge. A higher number makes the framework send the state anew to every room, one by one: raise rarely.
const (
	bridgeInfoVersion   = 1
	capabilitiesVersion = 1
)

// GetBridgeInfoVersion implements bridgev2.NetworkConnector.
func (c *Connector) GetBridgeInfoVersion() (info, capabilities int) {
	return bridgeInfoVersion, capabilitiesVersion
}
