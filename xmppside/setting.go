package xmppside

import "strings"

// Setting is something that an operator says about a service, in plain words. How the operator's file spells it is for
// the caller to know (ServiceOptions.Keys); in the texts of this package it stands in braces.
type Setting string

// The settings that texts and errors name.
const (
	SettingDomain      Setting = "domain"
	SettingAddress     Setting = "address"
	SettingTrust       Setting = "trusted certificates" // all of the two that follow
	SettingAuthorities Setting = "trusted authorities"
	SettingCertNames   Setting = "accepted names"
	SettingRedirects   Setting = "number of redirects"
	SettingSignIn      Setting = "sign-in settings"
)

// Settings lists all of them.
func Settings() []Setting {
	return []Setting{
		SettingDomain, SettingAddress, SettingTrust, SettingAuthorities, SettingCertNames, SettingRedirects, SettingSignIn,
	}
}

// SettingError says what is wrong with the value of a setting.
type SettingError struct {
	Setting Setting
	Problem string // what is wrong and what is expected, behind the setting's name
}

func (e *SettingError) Error() string { return "the " + string(e.Setting) + ": " + e.Problem }

// wording fills in what texts name in braces: the service, and the settings as the operator's file spells them. A setting
// without a key is named in words.
func wording(service string, keys map[Setting]string) *strings.Replacer {
	pairs := []string{"{service}", service}
	for _, s := range Settings() {
		key := keys[s]
		if key == "" {
			key = "the " + string(s)
		}
		pairs = append(pairs, "{"+string(s)+"}", key)
	}
	return strings.NewReplacer(pairs...)
}
