package ewstest

import "sync"

// elementRules says which children an element has, in which order. Names with a
// bar between them are alternatives; "!" follows what has to be there, "*" what
// may be there any number of times, "+" both. An element without a rule is not
// looked into.
const elementRules = `
GetFolder: FolderShape! FolderIds!
FindFolder: FolderShape! IndexedPageFolderView|FractionalPageFolderView Restriction ParentFolderIds!
SyncFolderHierarchy: FolderShape! SyncFolderId SyncState
CreateFolder: ParentFolderId! Folders!
UpdateFolder: FolderChanges!
MoveFolder CopyFolder: ToFolderId! FolderIds!
DeleteFolder EmptyFolder: FolderIds!
MarkAllItemsAsRead: ReadFlag! SuppressReadReceipts! FolderIds!
FindItem: ItemShape! IndexedPageItemView|FractionalPageItemView|SeekToConditionPageItemView|CalendarView|ContactsView GroupBy|DistinguishedGroupBy Restriction SortOrder ParentFolderIds! QueryString
SyncFolderItems: ItemShape! SyncFolderId! SyncState Ignore MaxChangesReturned! SyncScope
GetItem: ItemShape! ItemIds!
CreateItem: SavedItemFolderId Items!
UpdateItem: SavedItemFolderId ItemChanges!
SendItem: ItemIds! SavedItemFolderId
MoveItem CopyItem: ToFolderId! ItemIds! ReturnNewItemIds
DeleteItem MarkAsJunk: ItemIds!
ArchiveItem: ArchiveSourceFolderId! ItemIds!
GetAttachment: AttachmentShape AttachmentIds!
CreateAttachment: ParentItemId! Attachments!
DeleteAttachment: AttachmentIds!
Subscribe: PullSubscriptionRequest|PushSubscriptionRequest|StreamingSubscriptionRequest!
Unsubscribe: SubscriptionId!
GetEvents: SubscriptionId! Watermark!
GetStreamingEvents: SubscriptionIds! ConnectionTimeout!
ConvertId: SourceIds!
ResolveNames: ParentFolderIds UnresolvedEntry!
ExpandDL: Mailbox!
GetUserOofSettingsRequest: Mailbox!
SetUserOofSettingsRequest: Mailbox! UserOofSettings!

FolderShape: BaseShape! AdditionalProperties
ItemShape: BaseShape! IncludeMimeContent BodyType UniqueBodyType NormalizedBodyType FilterHtmlContent ConvertHtmlCodePageToUTF8 InlineImageUrlTemplate BlockExternalImages AddBlankTargetToLinks MaximumBodySize AdditionalProperties
AttachmentShape: IncludeMimeContent BodyType FilterHtmlContent AdditionalProperties
AdditionalProperties: FieldURI|IndexedFieldURI|ExtendedFieldURI|ExceptionFieldURI+
FolderIds ParentFolderIds: FolderId|DistinguishedFolderId+
ToFolderId ParentFolderId SyncFolderId SavedItemFolderId ArchiveSourceFolderId: FolderId|DistinguishedFolderId|AddressListId!
DistinguishedFolderId: Mailbox
ItemIds: ItemId|OccurrenceItemId|RecurringMasterItemId|RecurringMasterItemIdRanges+
Ignore: ItemId|OccurrenceItemId|RecurringMasterItemId*
AttachmentIds: AttachmentId+
SubscriptionIds: SubscriptionId+
SourceIds: AlternateId|AlternatePublicFolderId|AlternatePublicFolderItemId+

Folders: Folder|CalendarFolder|ContactsFolder|SearchFolder|TasksFolder+
Folder: FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount ExtendedProperty* ManagedFolderInformation EffectiveRights DistinguishedFolderId PolicyTag ArchiveTag ReplicaList PermissionSet UnreadCount
FolderChanges: FolderChange+
FolderChange: FolderId|DistinguishedFolderId! Updates!
SetFolderField AppendToFolderField: FieldURI|IndexedFieldURI|ExtendedFieldURI! Folder|CalendarFolder|ContactsFolder|SearchFolder|TasksFolder!
DeleteFolderField DeleteItemField: FieldURI|IndexedFieldURI|ExtendedFieldURI!
ItemChanges: ItemChange+
ItemChange: ItemId|OccurrenceItemId|RecurringMasterItemId! Updates! CalendarActivityData
Updates: SetItemField|AppendToItemField|DeleteItemField|SetFolderField|AppendToFolderField|DeleteFolderField+
SetItemField AppendToItemField: FieldURI|IndexedFieldURI|ExtendedFieldURI! Item|Message|CalendarItem|Contact|DistributionList|MeetingMessage|MeetingRequest|MeetingResponse|MeetingCancellation|Task|PostItem!

SeekToConditionPageItemView: Condition!
Restriction Condition: And|Or|Not|Contains|Excludes|Exists|IsEqualTo|IsNotEqualTo|IsGreaterThan|IsGreaterThanOrEqualTo|IsLessThan|IsLessThanOrEqualTo!
And Or: And|Or|Not|Contains|Excludes|Exists|IsEqualTo|IsNotEqualTo|IsGreaterThan|IsGreaterThanOrEqualTo|IsLessThan|IsLessThanOrEqualTo+
Not: And|Or|Not|Contains|Excludes|Exists|IsEqualTo|IsNotEqualTo|IsGreaterThan|IsGreaterThanOrEqualTo|IsLessThan|IsLessThanOrEqualTo!
Contains: FieldURI|IndexedFieldURI|ExtendedFieldURI! Constant!
Excludes: FieldURI|IndexedFieldURI|ExtendedFieldURI! Bitmask!
Exists: FieldURI|IndexedFieldURI|ExtendedFieldURI!
IsEqualTo IsNotEqualTo IsGreaterThan IsGreaterThanOrEqualTo IsLessThan IsLessThanOrEqualTo: FieldURI|IndexedFieldURI|ExtendedFieldURI! FieldURIOrConstant!
FieldURIOrConstant: FieldURI|IndexedFieldURI|ExtendedFieldURI|Constant!
SortOrder: FieldOrder+
FieldOrder: FieldURI|IndexedFieldURI|ExtendedFieldURI!

Items: Item|Message|CalendarItem|Contact|DistributionList|MeetingMessage|MeetingRequest|MeetingResponse|MeetingCancellation|Task|PostItem|ReplyToItem|ForwardItem|ReplyAllToItem|AcceptItem|TentativelyAcceptItem|DeclineItem|CancelCalendarItem|RemoveItem|SuppressReadReceipt|PostReplyItem|AcceptSharingInvitation|RoleMember|Network|Person+
Message Item: MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders DateTimeSent DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc DisplayTo DisplayBcc HasAttachments ExtendedProperty* Culture EffectiveRights LastModifiedName LastModifiedTime IsAssociated WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview RightsManagementLicenseData PredictedActionReasons IsClutter BlockStatus HasBlockedImages TextBody IconIndex SearchKey SortKey Hashtags Mentions MentionedMe MentionsPreview MentionsEx AppliedHashtags AppliedHashtagsPreview Likes LikesPreview PendingSocialActivityTagIds AtAllMention CanDelete InferenceClassification Sender ToRecipients CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested ConversationIndex ConversationTopic From InternetMessageId IsRead IsResponseRequested References ReplyTo ReceivedBy ReceivedRepresenting ApprovalRequestData VotingInformation ReminderMessageData SenderSMTPAddress MailboxGuids
ReplyToItem ReplyAllToItem ForwardItem: Subject Body ToRecipients CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested From ReferenceItemId NewBodyContent ReceivedBy ReceivedRepresenting
ToRecipients CcRecipients BccRecipients ReplyTo: Mailbox*
From Sender: Mailbox!
Categories: String*
Flag: FlagStatus! StartDate DueDate CompleteDate
ExtendedProperty: ExtendedFieldURI! Value|Values!
Attachments: FileAttachment|ItemAttachment|ReferenceAttachment*
FileAttachment: AttachmentId Name ContentType ContentId ContentLocation AttachmentOriginalUrl Size LastModifiedTime IsInline IsContactPhoto Content
ItemAttachment: AttachmentId Name ContentType ContentId ContentLocation AttachmentOriginalUrl Size LastModifiedTime IsInline Item|Message|CalendarItem|Contact|MeetingMessage|MeetingRequest|MeetingResponse|MeetingCancellation|Task|PostItem|RoleMember|Network|Person

PullSubscriptionRequest: FolderIds EventTypes! Watermark Timeout!
StreamingSubscriptionRequest: FolderIds EventTypes!
EventTypes: EventType+
ExchangeImpersonation: ConnectingSID!
ConnectingSID: PrincipalName|SID|PrimarySmtpAddress|SmtpAddress!
`

// attributeRules says which attributes of an element are checked; "!" follows
// those that have to be there.
var attributeRules = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // Computed once, never changed.
	return map[string]string{
		"FindFolder": "Traversal!", "FindItem": "Traversal!", "DeleteFolder": "DeleteType!", "DeleteItem": "DeleteType!",
		"EmptyFolder": "DeleteType! DeleteSubFolders!", "CreateItem": "MessageDisposition",
		"UpdateItem": "ConflictResolution! MessageDisposition SendMeetingInvitationsOrCancellations SuppressReadReceipts", "SendItem": "SaveItemToFolder!",
		"MarkAsJunk": "IsJunk! MoveItem!", "ConvertId": "DestinationFormat!", "ResolveNames": "ReturnFullContactData!",
		"FolderId": "Id!", "ItemId": "Id!", "AttachmentId": "Id!", "ParentItemId": "Id!", "ReferenceItemId": "Id!",
		"DistinguishedFolderId": "Id!", "FieldURI": "FieldURI!", "IndexedFieldURI": "FieldURI! FieldIndex!",
		"ExtendedFieldURI":    "PropertyType! DistinguishedPropertySetId PropertyId",
		"IndexedPageItemView": "MaxEntriesReturned Offset! BasePoint!", "IndexedPageFolderView": "MaxEntriesReturned Offset! BasePoint!",
		"SeekToConditionPageItemView": "MaxEntriesReturned BasePoint!",
		"FractionalPageItemView":      "MaxEntriesReturned Numerator! Denominator!", "FractionalPageFolderView": "MaxEntriesReturned Numerator! Denominator!",
		"Contains": "ContainmentMode ContainmentComparison", "Constant": "Value!", "Bitmask": "Value!", "FieldOrder": "Order!",
		"AlternateId": "Format! Id! Mailbox!", "Body": "BodyType!", "NewBodyContent": "BodyType!",
		"PullSubscriptionRequest": "SubscribeToAllFolders", "StreamingSubscriptionRequest": "SubscribeToAllFolders",
	}
})

// valueRules returns what an attribute may hold: words, or a kind in angle
// brackets.
func valueRules(element, attribute string) string {
	switch element + "/" + attribute {
	case "FindFolder/Traversal":
		return "Shallow Deep SoftDeleted"
	case "FindItem/Traversal":
		return "Shallow SoftDeleted Associated"
	case "DistinguishedFolderId/Id":
		return folderWords
	case "Body/BodyType", "NewBodyContent/BodyType":
		return "HTML Text"
	case "AlternateId/Format":
		return formats
	}
	if allowed := attributeWords()[attribute]; allowed != "" {
		return allowed
	}
	return "<any>"
}

// attributeWords says what attributes of a name may hold wherever they are.
var attributeWords = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // Computed once, never changed.
	return map[string]string{
		"DeleteType": "HardDelete SoftDelete MoveToDeletedItems", "MessageDisposition": "SaveOnly SendOnly SendAndSaveCopy",
		"ConflictResolution": "NeverOverwrite AutoResolve AlwaysOverwrite", "BasePoint": "Beginning End", "Order": "Ascending Descending",
		"DestinationFormat": formats, "ContainmentMode": "FullString Prefixed Substring PrefixOnWords ExactPhrase",
		"ContainmentComparison": "Exact IgnoreCase IgnoreNonSpacingCharacters Loose IgnoreCaseAndNonSpacingCharacters LooseAndIgnoreCase " +
			"LooseAndIgnoreNonSpace LooseAndIgnoreCaseAndIgnoreNonSpace",
		"DistinguishedPropertySetId": "Meeting Appointment Common PublicStrings Address InternetHeaders CalendarAssistant UnifiedMessaging Task Sharing",
		"PropertyType": "ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency CurrencyArray Double DoubleArray " +
			"Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray Short ShortArray SystemTime SystemTimeArray String StringArray",
		"DeleteSubFolders": "<bool>", "SuppressReadReceipts": "<bool>", "SaveItemToFolder": "<bool>", "IsJunk": "<bool>", "MoveItem": "<bool>",
		"ReturnFullContactData": "<bool>", "SubscribeToAllFolders": "<bool>",
		"MaxEntriesReturned": "<int>", "Offset": "<int>", "Numerator": "<int>", "Denominator": "<int>", "PropertyId": "<int>",
	}
})

// textRules says what the text of elements may be.
var textRules = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // Computed once, never changed.
	return map[string]string{
		"BaseShape": "IdOnly Default AllProperties PcxPeopleSearch", "BodyType": "Best HTML Text", "UniqueBodyType": "Best HTML Text",
		"NormalizedBodyType": "Best HTML Text", "Importance": "Low Normal High", "Sensitivity": "Normal Personal Private Confidential",
		"FlagStatus":         "NotFlagged Flagged Complete",
		"EventType":          "CopiedEvent CreatedEvent DeletedEvent ModifiedEvent MovedEvent NewMailEvent FreeBusyChangedEvent",
		"IncludeMimeContent": "<bool>", "FilterHtmlContent": "<bool>", "ConvertHtmlCodePageToUTF8": "<bool>", "IsRead": "<bool>", "IsInline": "<bool>",
		"IsReadReceiptRequested": "<bool>", "IsDeliveryReceiptRequested": "<bool>", "ReadFlag": "<bool>", "ReturnNewItemIds": "<bool>",
		"MaxChangesReturned": "<int>", "MaximumBodySize": "<int>", "ConnectionTimeout": "<int>", "Timeout": "<int>",
		"SyncScope": "NormalItems NormalAndAssociatedItems",
	}
})

// The names that formats, folders and properties have in the schema.
const (
	formats = "EwsLegacyId EwsId EntryId HexEntryId StoreId OwaId"

	folderWords = `calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot publicfoldersroot
root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions recoverableitemsversions recoverableitemspurges
recoverableitemsdiscoveryholds archive archiveroot archivemsgfolderroot archivedeleteditems archiveinbox archiverecoverableitemsroot
archiverecoverableitemsdeletions archiverecoverableitemsversions archiverecoverableitemspurges archiverecoverableitemsdiscoveryholds
syncissues conflicts localfailures serverfailures recipientcache quickcontacts conversationhistory adminauditlogs todosearch mycontacts
directory imcontactlist peopleconnect favorites mecontact personmetadata teamspaceactivity teamspacemessaging teamspaceworkitems
scheduled orionnotes tagitems alltaggeditems externalcontacts teamchat yammerroot yammerinbound yammeroutbound yammerfeeds
onedriveroot onedriverecylebin onedrivesystem onedrivevolume`

	folderNames = `FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass SearchParameters
ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag ArchiveTag ReplicaList`

	messageNames = `ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested IsReadReceiptRequested
IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender ToRecipients CcRecipients BccRecipients
ApprovalRequestData VotingInformation ReminderMessageData`

	itemNames = `ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories HasAttachments
Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted IsUnmodified DateTimeSent
DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayTo
DisplayCc DisplayBcc Culture EffectiveRights LastModifiedName LastModifiedTime ConversationId UniqueBody Flag StoreEntryId InstanceKey
NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview PredictedActionReasons IsClutter
RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString WebClientEditFormQueryString TextBody IconIndex
MimeContentUTF8 Mentions MentionedMe MentionsPreview MentionsEx Hashtags AppliedHashtags AppliedHashtagsPreview Likes LikesPreview
PendingSocialActivityTagIds AtAllMention CanDelete InferenceClassification FirstBody`
)
