/** Shown on the page while a saved comment could not be published. */
export const UNPUBLISHED_NOTICE =
  'The newest comment is saved, but the webhook does not answer yet: other pages will show it a little later.';
