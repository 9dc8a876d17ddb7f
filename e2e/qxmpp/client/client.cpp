// A Messenger client made of QXmpp, for the test beside it: signs in with QXmpp's own X-MESSENGER-OAUTH2,
// tells on standard output what it sees, one line a thing, and answers every message.
//
//     client HOST PORT DOMAIN CA-FILE      (the access token comes in MESSENGER_TOKEN)
//
//     signed-in JID                        bound, the roster may follow
//     contact JID SUBSCRIPTION NAME
//     card JID NAME                        the contact's vCard
//     archived JID from|to TEXT            one archived message, oldest first
//     archive-end JID
//     presence JID available|unavailable
//     message JID TEXT
//     stanza-error JID TEXT                the service returned the message
//     error KIND DETAIL                    ends the program with status 1
//     signed-out                           after the message "good-bye"; status 0
//
// NAME and TEXT are percent-encoded. Every message TEXT of somebody is answered with "heard: TEXT".

#include <QXmppArchiveIq.h>
#include <QXmppArchiveManager.h>
#include <QXmppClient.h>
#include <QXmppConfiguration.h>
#include <QXmppMessage.h>
#include <QXmppResultSet.h>
#include <QXmppRosterManager.h>
#include <QXmppUtils.h>
#include <QXmppVCardIq.h>
#include <QXmppVCardManager.h>

#include <QCoreApplication>
#include <QDateTime>
#include <QFile>
#include <QSslCertificate>
#include <QSslSocket>
#include <QTimer>
#include <QUrl>

#include <cstdio>

namespace {

// Nothing that the test waits for takes longer; an orphaned program ends by itself.
const int longestRun = 120 * 1000;

void tell(const QStringList &words)
{
    const QByteArray line = words.join(QLatin1Char(' ')).toUtf8();
    std::printf("%s\n", line.constData());
    std::fflush(stdout);
}

QString encoded(const QString &text)
{
    return QString::fromLatin1(QUrl::toPercentEncoding(text));
}

QString subscriptionName(QXmppRosterIq::Item::SubscriptionType type)
{
    switch (type) {
    case QXmppRosterIq::Item::Both:
        return QStringLiteral("both");
    case QXmppRosterIq::Item::To:
        return QStringLiteral("to");
    case QXmppRosterIq::Item::From:
        return QStringLiteral("from");
    default:
        return QStringLiteral("none");
    }
}

QString errorKind(QXmppClient::Error error)
{
    switch (error) {
    case QXmppClient::SocketError:
        return QStringLiteral("socket");
    case QXmppClient::KeepAliveError:
        return QStringLiteral("keepalive");
    case QXmppClient::XmppStreamError:
        return QStringLiteral("stream");
    default:
        return QStringLiteral("none");
    }
}

} // namespace

int main(int argc, char *argv[])
{
    QCoreApplication program(argc, argv);
    const QStringList args = program.arguments();
    if (args.size() != 5) {
        std::fprintf(stderr, "usage: client HOST PORT DOMAIN CA-FILE\n");
        return 2;
    }
    QFile authority(args[4]);
    if (!authority.open(QIODevice::ReadOnly)) {
        std::fprintf(stderr, "cannot read the certificate of the authority\n");
        return 2;
    }

    QXmppConfiguration config;
    config.setHost(args[1]);
    config.setPort(args[2].toInt());
    config.setDomain(args[3]);
    // Verified like a real service: only this authority, and the name has to be the domain's.
    config.setStreamSecurityMode(QXmppConfiguration::TLSRequired);
    config.setIgnoreSslErrors(false);
    config.setCaCertificates(QSslCertificate::fromDevice(&authority, QSsl::Pem));
    config.setSaslAuthMechanism(QStringLiteral("X-MESSENGER-OAUTH2"));
    config.setWindowsLiveAccessToken(QString::fromLatin1(qgetenv("MESSENGER_TOKEN")));
    config.setUseNonSASLAuthentication(false);
    config.setAutoReconnectionEnabled(false);

    QXmppClient client;
    auto *archive = new QXmppArchiveManager;
    client.addExtension(archive);
    auto *roster = client.findExtension<QXmppRosterManager>();
    auto *cards = client.findExtension<QXmppVCardManager>();

    bool failed = false;
    QObject::connect(&client, &QXmppClient::connected, [&] {
        tell({QStringLiteral("signed-in"), client.configuration().jid()});
    });
    QObject::connect(roster, &QXmppRosterManager::rosterReceived, [&] {
        for (const QString &jid : roster->getRosterBareJids()) {
            const auto item = roster->getRosterEntry(jid);
            tell({QStringLiteral("contact"), jid, subscriptionName(item.subscriptionType()), encoded(item.name())});
            cards->requestVCard(jid);
            QXmppResultSetQuery page;
            page.setMax(10);
            archive->retrieveCollection(jid, QDateTime::fromSecsSinceEpoch(0, Qt::UTC), page);
        }
    });
    QObject::connect(cards, &QXmppVCardManager::vCardReceived, [&](const QXmppVCardIq &card) {
        tell({QStringLiteral("card"), card.from(), encoded(card.fullName())});
    });
    QObject::connect(archive, &QXmppArchiveManager::archiveChatReceived, [&](const QXmppArchiveChat &chat, const QXmppResultSetReply &) {
        for (const auto &message : chat.messages()) {
            const auto direction = message.isReceived() ? QStringLiteral("from") : QStringLiteral("to");
            tell({QStringLiteral("archived"), chat.with(), direction, encoded(message.body())});
        }
        tell({QStringLiteral("archive-end"), chat.with()});
    });
    QObject::connect(&client, &QXmppClient::presenceReceived, [&](const QXmppPresence &presence) {
        const bool available = presence.type() == QXmppPresence::Available;
        tell({QStringLiteral("presence"), presence.from(), available ? QStringLiteral("available") : QStringLiteral("unavailable")});
    });
    QObject::connect(&client, &QXmppClient::messageReceived, [&](const QXmppMessage &message) {
        if (message.body().isEmpty()) {
            return; // a chat state
        }
        if (message.type() == QXmppMessage::Error) {
            tell({QStringLiteral("stanza-error"), message.from(), encoded(message.body())});
            return;
        }
        tell({QStringLiteral("message"), message.from(), encoded(message.body())});
        if (message.body() == QLatin1String("good-bye")) {
            client.disconnectFromServer();
            return;
        }
        client.sendMessage(QXmppUtils::jidToBareJid(message.from()), QStringLiteral("heard: ") + message.body());
    });
    QObject::connect(&client, &QXmppClient::error, [&](QXmppClient::Error error) {
        const QString condition = QString::number(int(client.xmppStreamError()));
        tell({QStringLiteral("error"), errorKind(error), error == QXmppClient::SocketError ? encoded(client.socketErrorString()) : condition});
        failed = true;
        QCoreApplication::exit(1);
    });
    QObject::connect(&client, &QXmppClient::disconnected, [&] {
        if (failed) {
            return; // what follows an error is not a sign-out
        }
        tell({QStringLiteral("signed-out")});
        QCoreApplication::exit(0);
    });
    QTimer::singleShot(longestRun, [&] {
        tell({QStringLiteral("error"), QStringLiteral("timeout"), QString()});
        QCoreApplication::exit(1);
    });

    client.connectToServer(config);
    return program.exec();
}
