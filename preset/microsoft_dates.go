package preset

// exchangeRetirements are the ways into Exchange Online that end, or have
// ended.
func exchangeRetirements() []Retirement {
	const (
		ewsSource   = "https://techcommunity.microsoft.com/blog/exchange/exchange-online-ews-your-time-is-almost-up/4492361"
		smtpSource  = "https://techcommunity.microsoft.com/blog/exchange/updated-exchange-online-smtp-auth-basic-authentication-deprecation-timeline/4489835"
		basicSource = "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online"
	)
	password := []Flow{FlowPassword, FlowAppPassword}
	return []Retirement{
		{
			Protocols: []Protocol{IMAP, POP3, EWS}, Flows: password,
			Announced: day(2021, 9, 23), Date: day(2022, 10, 1),
			What:   "Exchange Online no longer takes passwords for IMAP, POP3 and EWS.",
			Fix:    "Sign in by browser or device, or by client-credentials in one tenant.",
			Source: basicSource,
		},
		{
			Protocols: []Protocol{EWS},
			Announced: day(2026, 2, 5), Date: day(2026, 10, 1),
			What:   "Exchange Online blocks EWS, tenant by tenant, but for the client ids that the tenant has listed in EwsAllowedAppIDs.",
			Fix:    "Use Graph or IMAP; until April 2027 an administrator can set EWSEnabled and list the client id.",
			Source: ewsSource,
		},
		{
			Protocols: []Protocol{EWS},
			Announced: day(2026, 2, 5), Date: day(2027, 4, 1),
			What:   "EWS in Exchange Online ends for good, without exceptions.",
			Fix:    "Use Graph or IMAP.",
			Source: ewsSource,
		},
		{
			Protocols: []Protocol{SMTP}, Flows: password,
			Announced: day(2026, 1, 27), Date: day(2026, 12, 31),
			What:   "Exchange Online no longer takes passwords for SMTP AUTH, unless an administrator switches that on again; the last date is to be announced in the second half of 2027.",
			Fix:    "Sign in by browser or device, or by client-credentials in one tenant; SMTP itself stays.",
			Source: smtpSource,
		},
	}
}

// outlookBasic is the end of passwords for personal accounts.
func outlookBasic() Retirement {
	return Retirement{
		Flows:     []Flow{FlowPassword, FlowAppPassword},
		Announced: day(2024, 6, 11), Date: day(2024, 9, 16),
		What:   "Outlook.com no longer takes passwords, nor app passwords.",
		Fix:    "Sign in by browser or device.",
		Source: "https://support.microsoft.com/office/modern-authentication-methods-now-needed-to-continue-syncing-outlook-email-in-non-microsoft-email-apps-c5d65390-9676-4763-b41f-d7986499a90d",
	}
}

// exchangeLimits are those of Exchange Online.
func exchangeLimits() map[Protocol]Limits {
	const source = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits"
	return map[Protocol]Limits{
		SMTP:  {Connections: 3, MessagesPerMinute: 30, RecipientsPerDay: 10_000, Source: source},
		EWS:   {Connections: 27, MessagesPerMinute: 30, RecipientsPerDay: 10_000, Note: "Streaming subscriptions have 10 connections of their own; a mailbox has at most 20 subscriptions.", Source: source},
		Graph: graphLimits(),
	}
}

// graphLimits are those of Graph, for one program and one mailbox.
func graphLimits() Limits {
	return Limits{
		Connections: 4,
		Note:        "There are at most 10,000 requests in 10 minutes, and 150 MB are uploaded in 5 minutes.",
		Source:      "https://learn.microsoft.com/graph/throttling-limits",
	}
}
