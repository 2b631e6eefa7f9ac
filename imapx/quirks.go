package imapx

// What servers do that the standard does not say, and what this package does
// about it. None of it is switched on by a server's name: whatever a server calls
// itself, each case is recognized by what it says. Most rows are played by
// TestResponses, under the title in the last column; the others name their test.
//
//	server        what it does                              what is done here                       source                        shown by
//	------        ------------                              -----------------                       ------                        --------
//	Gmail         labels, thread and message ids in FETCH   unknown items are passed over           emersion/go-imap#759          summary: Gmail's items, with labels that are flags, strings and nothing
//	Gmail         literals {n+}, for clients alone          read like {n}                           BrianLeishman/go-imap#58      summary: a literal announced as if the client had to wait for nothing
//	Gmail         folders named "+x" without quotes         taken as they stand                     jstedfast/MailKit#1914        folders: names that stand for themselves
//	Gmail         NO for all where one message fails        the others are asked for in halves      RFC 2180 section 4.1          TestOneMessageTheServerCannotFetch
//	Exchange      "+" lines that invite nobody              passed over                             jstedfast/MailKit#852         summary: lines that nobody asked for
//	Exchange      folder names with tabs, without quotes    the rest of the line; sent as literal   jstedfast/MailKit#945         folders: tabs and spaces without quotes
//	Exchange      COPYUID on a line without "* OK"          read                                    ruby/net-imap#250             move: where the message went, on a line of its own
//	Exchange      takes a token that opens no mailbox       AuthError at the next command           Exchange Online's words        TestAuthenticatedButNotConnected
//	Outlook.com   COPYUID without the numbers               moved, without a new id                 jstedfast/MailKit#555         move: where the message went, with the numbers left out
//	Domino        parentheses around an item                passed over                             jstedfast/MailKit#943         summary: parentheses around one item
//	Zoho          a change counter of -1                    passed over                             jstedfast/MailKit#1686        summary: a change counter below zero
//	mail.ru       sizes as 9.3736e+06                       read; a number of a message is refused  jstedfast/MailKit#1838        summary: a size with an exponent
//	Yandex        an item's name without its value          an error for this message               recorded sessions of MailKit  summary: the name of an item without its value
//	163.com       quotes within quotes in BODYSTRUCTURE     read as they seem to be meant           emersion/go-imap#659          structure: quotes within quotes, as a boundary in place of a type
//	several       parts without a subtype, sizes of -1      octets, of no known size                tests of MailKit              structure: parts without types, parameters in odd places, sizes that are none
//	several       literals counted in letters               the line goes on behind the bytes       tests of MailKit              summary: a literal whose size counts letters and not bytes
//	several       keywords such as "+"                      any word is a flag                      jstedfast/MailKit#1956        summary: flags of any letters, in any case, and one that is about the connection
//	several       VANISHED amid answers                     passed over                             jstedfast/MailKit#521         summary: changes that others make, amid the answers
//	Dovecot       OK to changing what others removed        asked for news and looked up before     measured, 2.3.19              TestChangesAskForNewsFirst
//	several       fields and names in lower case            no letter's case matters                jstedfast/MailKit#893         summary: lower case, and spaces where none belong
//	several       a folder twice, INBOX in any case         one folder, and one id for a message    RFC 9051 section 5.1          TestFoldersThatAreListedTwice
//	Yahoo         the inbox as "Inbox"                      the same folder                         jstedfast/MailKit#242         folders: roles in other words, in any case, twice
//	Yahoo         UIDVALIDITY 0                             taken at its word                       jstedfast/MailKit#240         TestFoldersOfNoAge
//	Strato        no folders where LIST asks for more       asked again for the folders alone       jstedfast/MailKit#1957        folders: none, where the roles were asked for too
//	Cyrus         shared folders without a prefix           below "Shared Folders" in paths         Cyrus, altnamespace: no       TestNamespacesAsServersHaveThem
//	Courier       "INBOX." before all names, by demand      left out of paths, put before names     RFC 2342 section 5            TestNamespacesAsServersHaveThem
//	Zoho          LIST-STATUS, and no STATUS comes          each folder is asked for its counts     reports of mail programs       TestListingWithMore
//	several       a limit of 0 where a quota has none       no limit                               Dovecot's rules of quotas     TestQuota
//	Strato        the inbox is not listed                   added                                   jstedfast/MailKit#1957        folders: the inbox is not listed
//	XLIST's       \AllMail, \Starred, \Spam                 their roles                             recorded sessions of MailKit  folders: roles in other words, in any case, twice
//	several       names beyond modified UTF-7               shown and sent back as they came        RFC 3501 section 5.1.3        TestNamesAreSentBackAsTheyCame
//	several       quotes within quotes in a name            up to the last quote                    RFC 9051 section 9            folders: quotes within quotes, and one that is never closed
//	several       names with a colon or a bracket           taken as they stand                     jstedfast/MailKit#2002        folders: names that stand for themselves
//	several       ESEARCH where SEARCH was asked for        both are read, UIDs alone               RFC 9051 section 7.3.4        search: a set, although it was not asked for
//	several       no search beyond ASCII, in any words      compared here, and not asked again      emersion/go-imap#465          TestOddAnswersToACharset
//	several       days in the server's own zone             asked for a day more, compared here     emersion/go-imap#425          TestDaysAreWide
//	NetEase       opens no folder before ID                 told "mailsession", and asked again     pimalaya/himalaya#651         TestAServerThatWantsAName
//	several       vanished messages told once more          remembered until then, told once        RFC 7162 section 3.2.6        TestChangesBetweenSelectAndFetch
//	several       a change counter that went back           the cursor has expired                  restored mailboxes             TestServersThatForget
//	several       fewer messages than were told as gone     the cursor has expired                  restored mailboxes             TestServersThatForget
