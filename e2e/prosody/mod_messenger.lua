-- Makes a host of Prosody (0.12) a Messenger service, as far as a bridge needs one: section numbers are those
-- of the protocol file. Prosody itself brings TLS, bind, session, roster, presence, messages, offline
-- messages, vCards and the store behind mod_mam; this module adds
--
--   * X-MESSENGER-OAUTH2 as the only mechanism, the token as it is (3.1), the account from the token (5.1);
--   * see-other-host in place of the features after TLS, on one port (2.4);
--   * the lookup of addresses, whatever domain they are in (7);
--   * the archive's last ten messages (10).
--
-- Options of the host:
--
--   authentication = "null"               no provider of Prosody's own; this module is the one
--   messenger_redirect = { port = 5222, to = "127.0.0.1:5223" }
--   messenger_accounts = {
--       { user = "12345", email = "mary@contoso.com", token = "...", name = "Mary", contacts = { "john@contoso.com" } },
--   }

local st = require "util.stanza";
local jid = require "util.jid";
local datetime = require "util.datetime";
local sessionmanager = require "core.sessionmanager";
local rostermanager = require "core.rostermanager";

local mechanism = "X-MESSENGER-OAUTH2";
local xmlns_sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
local xmlns_streams = "urn:ietf:params:xml:ns:xmpp-streams";
local xmlns_lookup = "http://messenger.live.com/xmpp/jidlookup";
local xmlns_archive = "urn:xmpp:archive";
local xmlns_paging = "http://jabber.org/protocol/rsm";
local most_archived = 10;

local accounts = module:get_option_array("messenger_accounts", {});
local redirect = module:get_option("messenger_redirect");
local by_user, by_email, by_token = {}, {}, {};
for _, account in ipairs(accounts) do
	by_user[account.user], by_email[account.email], by_token[account.token] = account, account, account;
end

-- Who exists, and what is offered. What Prosody's own SASL would do with the mechanism is never asked for:
-- the hook below answers first.
local offer = {};
function offer:mechanisms() return { [mechanism] = true }; end
function offer:clean_clone() return self; end
function offer:select() return false; end

module:provides("auth", {
	name = "null"; -- what the configuration names
	user_exists = function (user) return by_user[user] ~= nil; end;
	users = function () return pairs(by_user); end;
	get_sasl_handler = function () return setmetatable({}, { __index = offer }); end;
});

-- Before mod_saslauth, which would decode the token.
module:hook("stanza/"..xmlns_sasl..":auth", function (event)
	local session, stanza = event.origin, event.stanza;
	local function refuse(condition)
		session.send(st.stanza("failure", { xmlns = xmlns_sasl }):tag(condition));
		session:close();
		return true;
	end
	if session.type ~= "c2s_unauthed" then return refuse("malformed-request"); end
	if not session.secure then return refuse("encryption-required"); end
	if stanza.attr.mechanism ~= mechanism then return refuse("invalid-mechanism"); end
	local account = by_token[stanza:get_text()];
	if not account then return refuse("not-authorized"); end
	if not sessionmanager.make_authenticated(session, account.user) then return refuse("temporary-auth-failure"); end
	session.sasl_handler = nil;
	session.send(st.stanza("success", { xmlns = xmlns_sasl }));
	session:reset_stream();
	return true;
end, 100);

-- The port decides, so that a client comes further only if it follows.
module:hook("stream-features", function (event)
	local session = event.origin;
	if not redirect or not session.secure or session.username or tonumber(session.conn:serverport()) ~= redirect.port then return; end
	module:log("info", "redirecting to %s", redirect.to);
	session:close(st.stanza("stream:error"):text_tag("see-other-host", redirect.to, { xmlns = xmlns_streams }));
	return true;
end, 1000);

-- Before routing: the address belongs to no host that is known here.
module:hook("pre-iq/bare", function (event)
	local session, stanza = event.origin, event.stanza;
	if stanza.attr.type ~= "get" or not stanza:get_child("getjid", xmlns_lookup) then return; end
	local account = by_email[stanza.attr.to];
	if account then
		session.send(st.reply(stanza):tag("getjid", { xmlns = xmlns_lookup }):text_tag("jid", account.user.."@"..module.host));
	else
		session.send(st.error_reply(stanza, "cancel", "item-not-found"));
	end
	return true;
end, 100);
module:add_feature(xmlns_lookup);

local archive = module:open_store("archive", "archive"); -- mod_mam's

-- The latest messages with somebody, as one collection, oldest first; where it starts does not count.
module:hook("iq-get/self/"..xmlns_archive..":retrieve", function (event)
	local session, stanza = event.origin, event.stanza;
	local asked = stanza.tags[1];
	local with = jid.bare(jid.prep(asked.attr.with));
	if not with or not asked.attr.start then
		session.send(st.error_reply(stanza, "modify", "bad-request"));
		return true;
	end
	local set = asked:get_child("set", xmlns_paging);
	local limit = math.min(tonumber(set and set:get_child_text("max")) or most_archived, most_archived);
	local found, messages = archive:find(session.username, { with = with, limit = limit, reverse = true }), {};
	if found then
		for _, message, when in found do
			table.insert(messages, 1, { stanza = message, when = math.floor(when) });
		end
	end
	local clock = messages[1] and messages[1].when or 0;
	local chat = st.stanza("chat", { xmlns = xmlns_archive, with = with, start = datetime.datetime(clock) });
	for _, message in ipairs(messages) do
		local written_by_us = jid.bare(message.stanza.attr.from) == session.username.."@"..session.host;
		chat:tag(written_by_us and "to" or "from", { secs = ("%d"):format(message.when - clock) });
		chat:text_tag("body", message.stanza:get_child_text("body") or ""):up();
		clock = message.when;
	end
	module:log("info", "%d archived messages of %s@%s for %s", #messages, jid.node(with), session.host, session.username);
	session.send(st.reply(stanza):add_child(chat));
	return true;
end);

-- At the first start nobody has a roster or a vCard yet.
local cards = module:open_store("vcard");
for _, account in ipairs(accounts) do
	cards:set(account.user, st.preserialize(st.stanza("vCard", { xmlns = "vcard-temp" }):text_tag("FN", account.name)));
	local roster = rostermanager.load_roster(account.user, module.host);
	for _, email in ipairs(account.contacts or {}) do
		local contact = assert(by_email[email], "a contact without an account");
		local address = contact.user.."@"..module.host;
		if not roster[address] then
			roster[address] = { name = contact.name, subscription = "both", groups = {} };
		end
	end
	rostermanager.save_roster(account.user, module.host, roster);
end
