package bridge

import "strings"

// Sentences about contacts and requests. %name stands for the person.
const (
	noticeRequest        = "%name wants to become your " + service + " contact. Join this room to accept, or leave it to decline; the commands `accept` and `decline` do the same."
	noticeRequestInChat  = "%name wants to become your " + service + " contact. Write `accept` here to accept, or `decline` to decline."
	noticeTheyAccepted   = "%name has accepted your request. You are " + service + " contacts now."
	noticeTheyDeclined   = "%name has declined your request, or ended it. You can ask again later with the command `start-chat`."
	noticeAddRefused     = service + " did not take your request to %name. Please try again later with the command `start-chat`; if it stays so, the service does not allow adding contacts here, and an ordinary " + service + " program has to do it."
	noticeAcceptRefused  = service + " did not take your answer to the request of %name. Please accept it in an ordinary " + service + " program; the bridge also tries again by itself with each new connection. You can write here meanwhile, but it may not be delivered."
	noticeGone           = "%name is no longer one of your " + service + " contacts. What you write here may not be delivered; to become contacts again, use the command `start-chat`."
	noticeAskedOnline    = "Your request was sent to %name. You can write here; it may only be delivered once %name has accepted, which this room will tell you."
	noticeAskedOffline   = "There is no connection to " + service + " at the moment. Your request to %name will be sent as soon as there is one; you need not do anything. This room will tell you when %name has answered."
	noticeAlreadyContact = "%name is already one of your " + service + " contacts. You can write here at once; no request was sent."
	noticeAcceptedByAsk  = "%name had asked to become your contact before. You have accepted that request now."
	noticeManyRequests   = "More people want to become your " + service + " contacts than get a room of their own at a time (%limit). See all of them with the command `requests`, and answer with `accept` or `decline` and the name; each answer makes room for another invite."
	textNoRosterChange   = service + " does not allow that from here: contacts can be added, but not removed, renamed or put into groups. Please use an ordinary " + service + " program, or the website of your account; the change will then show up here by itself."

	// noticeDeclinedTooLate is for the user's room with the bot.
	noticeDeclinedTooLate = "You declined the request of %name, but it had been accepted before in another " + service + " program, so you are contacts now. The bridge cannot undo that: to remove a contact, please use an ordinary " + service + " program, or the website of your account."
)

// named puts a name into a sentence.
func named(sentence, name string) string { return strings.ReplaceAll(sentence, "%name", name) }
