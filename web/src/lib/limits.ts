/** Characters of a message, where the installation has not set its own limit: then the server says so. */
export const MESSAGE_LENGTH = 4000;
