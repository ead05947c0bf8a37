import { tell } from ".";

void tell();
