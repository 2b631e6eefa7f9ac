package ews

import "slices"

// class says what a code of Exchange means for who gets it.
type class int

const (
	other       class = iota
	throttled         // the server asks for a pause
	transient         // it will pass by itself
	conflict          // somebody changed the thing meanwhile
	refusal           // of the credentials
	forbidden         // the credentials are good, and not for this
	noMessage         // a message, or part of one, is not there
	noFolder          // a folder is not there
	notFound          // something else is not there
	expired           // the sync state is void
	resubscribe       // the subscription is void
	full              // the mailbox is
	tooLarge          // the thing is
	elsewhere         // it is to be asked for under another name
	mistaken          // the request is wrong
)

// classOf returns the class of a response code of the schema, other for one that
// says nothing about what to do.
func classOf(code string) class {
	for _, c := range []struct {
		class class
		is    func(string) bool
	}{
		{throttled, isThrottled},
		{transient, isTransient},
		{conflict, isConflict},
		{refusal, isRefusal},
		{forbidden, isForbidden},
		{expired, func(c string) bool { return c == "ErrorInvalidSyncStateData" || c == "ErrorSyncFolderNotFound" }},
		{resubscribe, isResubscribe},
		{full, func(c string) bool { return c == "ErrorQuotaExceeded" || c == "ErrorSubmissionQuotaExceeded" }},
		{tooLarge, isTooLarge},
		{elsewhere, func(c string) bool { return c == "ErrorNonPrimarySmtpAddress" }},
		{mistaken, isMistaken},
	} {
		if c.is(code) {
			return c.class
		}
	}
	return missing(code)
}

func isThrottled(code string) bool {
	switch code {
	case "ErrorServerBusy", "ErrorExceededConnectionCount", "ErrorExceededFindCountLimit", "ErrorExceededSubscriptionCount",
		"ErrorInsufficientResources", "ErrorNotEnoughMemory", "ErrorTooManyObjectsOpened":
		return true
	}
	return false
}

// isTransient leaves out what may have been carried out all the same, such as
// ErrorItemSave, and ErrorBatchProcessingStopped, which is a consequence.
func isTransient(code string) bool {
	switch code {
	case "ErrorADOperation", "ErrorADSessionFilter", "ErrorADUnavailable", "ErrorClientDisconnected", "ErrorConnectionFailed",
		"ErrorInternalServerTransientError", "ErrorMailboxFailover", "ErrorMailboxMoveInProgress", "ErrorMailboxStoreUnavailable",
		"ErrorProxiedSubscriptionCallFailure", "ErrorProxyRequestProcessingFailed", "ErrorProxyServiceDiscoveryFailed",
		"ErrorServiceDiscoveryFailed", "ErrorTimeoutExpired", "ErrorBatchProcessingStopped":
		return true
	}
	return false
}

func isConflict(code string) bool {
	switch code {
	case "ErrorIrresolvableConflict", "ErrorStaleObject", "ErrorChangeKeyRequired", "ErrorChangeKeyRequiredForWriteOperations", "ErrorInvalidChangeKey":
		return true
	}
	return false
}

func isRefusal(code string) bool {
	switch code {
	case "ErrorPasswordChangeRequired", "ErrorPasswordExpired", "ErrorAccountDisabled", "ErrorTokenSerializationDenied",
		"ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed", "ErrorInvalidExchangeImpersonationHeaderData",
		"ErrorInvalidSerializedAccessToken", "ErrorInvalidLogonType", "ErrorInvalidSecurityDescriptor":
		return true
	}
	return false
}

func isForbidden(code string) bool {
	switch code {
	case "ErrorAccessDenied", "ErrorCreateItemAccessDenied", "ErrorSendAsDenied", "ErrorSubscriptionAccessDenied",
		"ErrorSubscriptionDelegateAccessNotSupported", "ErrorDelegateNoUser", "ErrorNotDelegate", "ErrorDelegateMissingConfiguration",
		"ErrorPermissionNotAllowedByPolicy", "ErrorMailboxScopeNotAllowedWithoutQueryString", "ErrorPublicFolderOperationFailed",
		"ErrorCrossMailboxMoveCopy", "ErrorDeleteDistinguishedFolder", "ErrorMoveDistinguishedFolder", "ErrorCannotDeleteObject",
		"ErrorCannotEmptyFolder":
		return true
	}
	return false
}

func isResubscribe(code string) bool {
	switch code {
	case "ErrorSubscriptionNotFound", "ErrorInvalidSubscription", "ErrorInvalidSubscriptionRequest", "ErrorSubscriptionUnsubscribed",
		"ErrorSubscriptionUnsubsribed", "ErrorExpiredSubscription", "ErrorInvalidWatermark", "ErrorMissedNotificationEvents",
		"ErrorReadEventsFailed", "ErrorProxyRequestNotAllowed":
		return true
	}
	return false
}

func isTooLarge(code string) bool {
	switch code {
	case "ErrorMessageSizeExceeded", "ErrorAttachmentSizeLimitExceeded", "ErrorDataSizeLimitExceeded", "ErrorExceededMaxRecipientLimit",
		"ErrorAttachmentNestLevelLimitExceeded", "ErrorExceededMessageLimit":
		return true
	}
	return false
}

func isMistaken(code string) bool {
	switch code {
	case "ErrorSchemaValidation", "ErrorInvalidRequest", "ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion", "ErrorInvalidOperation",
		"ErrorInvalidArgument", "ErrorInvalidPropertyRequest", "ErrorInvalidPropertySet", "ErrorUnsupportedPathForQuery",
		"ErrorUnsupportedPathForSortGroup", "ErrorInvalidRestriction", "ErrorUnsupportedMimeConversion", "ErrorMimeContentInvalid",
		"ErrorMimeContentInvalidBase64String", "ErrorMimeContentConversionFailed", "ErrorMissingRecipients", "ErrorInvalidRecipients",
		"ErrorInvalidRecipientSubfilter", "ErrorFolderExists", "ErrorInvalidPagingMaxRows", "ErrorMessageDispositionRequired",
		"ErrorObjectTypeChanged", "ErrorSentMeetingRequestUpdate", "ErrorSentTaskRequestUpdate", "ErrorUpdatePropertyMismatch", "ErrorInvalidPullSubscriptionId":
		return true
	}
	return false
}

// missing tells what is not there.
func missing(code string) class {
	switch code {
	case "ErrorItemNotFound", "ErrorInvalidIdMalformed", "ErrorInvalidIdMalformedEwsLegacyIdFormat", "ErrorInvalidIdStoreObjectIdTooLong",
		"ErrorInvalidIdEmpty", "ErrorInvalidId", "ErrorInvalidAttachmentId":
		return noMessage
	case "ErrorFolderNotFound", "ErrorParentFolderNotFound", "ErrorToFolderNotFound", "ErrorSavedItemFolderNotFound", "ErrorInvalidFolderId":
		return noFolder
	case "ErrorNonExistentMailbox", "ErrorMailRecipientNotFound", "ErrorNameResolutionNoResults", "ErrorArchiveMailboxNotEnabled", "ErrorRecipientNotFound":
		return notFound
	}
	return other
}

// ofMailbox reports whether a code is of the mailbox, the server or who signs in, so that
// it would be the same with another message. One that may be of either, as where an
// answer takes too long, is of the message.
func ofMailbox(code string) bool {
	if slices.Contains([]class{throttled, transient, refusal, noFolder, full}, classOf(code)) {
		return code != "ErrorTimeoutExpired" && code != "ErrorClientDisconnected" && code != "ErrorBatchProcessingStopped"
	}
	switch code {
	case "ErrorAccessDenied", "ErrorCreateItemAccessDenied", "ErrorNonExistentMailbox", "ErrorNonPrimarySmtpAddress",
		"ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion":
		return true
	}
	return false
}
