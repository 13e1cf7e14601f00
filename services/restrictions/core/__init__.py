"""What may be traded, decided from arguments alone: rules, their precedence, an account's screen, intake's wishes, explanations."""
